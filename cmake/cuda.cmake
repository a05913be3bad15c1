# minitrain_cuda: one static library, either of the kernels (MINITRAIN_CUDA=ON) or of the stub. Its users need no nvcc.
if(MINITRAIN_CUDA)
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
  list(FILTER kernels EXCLUDE REGEX "/minitrain_cuda\\.cu$")  # includes all the others, for builds without CMake
  if(NOT kernels)
    message(FATAL_ERROR "MINITRAIN_CUDA=ON, but there are no kernels in ${PROJECT_SOURCE_DIR}/kernels: configure with "
                        "MINITRAIN_CUDA=OFF to train on the CPU")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)  # not "native", which cannot be configured without a GPU
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit 12.0 REQUIRED)
  add_library(minitrain_cuda STATIC ${kernels})
  # Not CUDA_STANDARD 20: CMake 3.25 does not know it for nvcc.
  target_compile_options(minitrain_cuda PRIVATE $<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-std=c++20>)
  target_link_libraries(minitrain_cuda PRIVATE CUDA::cudart_static)
else()
  add_library(minitrain_cuda STATIC ${PROJECT_SOURCE_DIR}/kernels/no_cuda.cpp)
endif()
add_library(minitrain::cuda ALIAS minitrain_cuda)
set_target_properties(minitrain_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON)
target_link_libraries(minitrain_cuda PUBLIC minitrain)
