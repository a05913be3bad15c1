# The package: headers, targets, config file with the components cuda and zlib, pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minitrain)

install(DIRECTORY include/minitrain TYPE INCLUDE)
install(TARGETS minitrain EXPORT minitrainTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS minitrain_zlib EXPORT minitrainZlibTargets)
install(EXPORT minitrainTargets NAMESPACE minitrain:: DESTINATION ${package_dir})
install(EXPORT minitrainZlibTargets NAMESPACE minitrain:: DESTINATION ${package_dir})
install(TARGETS minitrain_cuda EXPORT minitrainCudaTargets ARCHIVE)
install(EXPORT minitrainCudaTargets NAMESPACE minitrain:: DESTINATION ${package_dir})

configure_package_config_file(cmake/minitrainConfig.cmake.in ${PROJECT_BINARY_DIR}/minitrainConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/minitrainConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/minitrainConfig.cmake ${PROJECT_BINARY_DIR}/minitrainConfigVersion.cmake
  DESTINATION ${package_dir})

# The prefix is found from the place of the file, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_from_pc /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/minitrain.pc.in minitrain.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/minitrain.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
