# minitrain_cuda: one static library, either of the kernels or of the stub that says why there is no GPU. Its users need
# no nvcc.
set_property(CACHE MINITRAIN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(minitrain_with_cuda ${MINITRAIN_CUDA})
if(MINITRAIN_CUDA STREQUAL "AUTO")
  include(CheckLanguage)
  check_language(CUDA)
  find_package(CUDAToolkit 12.0 QUIET)
  set(minitrain_with_cuda OFF)
  if(CMAKE_CUDA_COMPILER MATCHES "nvcc" AND CUDAToolkit_FOUND AND TARGET CUDA::cublasLt)
    set(minitrain_with_cuda ON)
  endif()
endif()

if(minitrain_with_cuda)
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
  list(FILTER kernels EXCLUDE REGEX "/minitrain_cuda\\.cu$")  # includes all the others, for builds without CMake
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)  # with PTX of the last; not "native", which wants a GPU to configure
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA")
    message(FATAL_ERROR "MINITRAIN_CUDA=${MINITRAIN_CUDA} wants nvcc, found ${CMAKE_CUDA_COMPILER}: the results of another "
                        "compiler's code are not known to have the CPU's bits")
  endif()
  find_package(CUDAToolkit 12.0 REQUIRED)
  if(NOT TARGET CUDA::cublasLt)
    message(FATAL_ERROR "MINITRAIN_CUDA=${MINITRAIN_CUDA} wants cuBLASLt, and the CUDA Toolkit in ${CUDAToolkit_LIBRARY_DIR} "
                        "has none: install its development package (libcublas-dev)")
  endif()
  add_library(minitrain_cuda STATIC ${kernels})
  # Not CUDA_STANDARD 20: CMake 3.25 does not know it for nvcc. Denormal numbers are zero, as in a run on the CPU; every
  # operation names its rounding, so that no product and sum become one where the source does not say so.
  target_compile_options(minitrain_cuda PRIVATE
    $<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-std=c++20;-ftz=true;-fmad=false>)
  # cuBLASLt is shared: the static one would make every program hundreds of megabytes larger.
  target_link_libraries(minitrain_cuda PRIVATE CUDA::cudart_static CUDA::cublasLt)
  message(STATUS "minitrain::cuda: kernels for ${CMAKE_CUDA_ARCHITECTURES} (MINITRAIN_CUDA=${MINITRAIN_CUDA})")
else()
  add_library(minitrain_cuda STATIC ${PROJECT_SOURCE_DIR}/kernels/no_cuda.cpp)
  message(STATUS "minitrain::cuda: a stub without kernels (MINITRAIN_CUDA=${MINITRAIN_CUDA})")
endif()
if(NOT PROJECT_IS_TOP_LEVEL AND NOT MINITRAIN_INSTALL)
  set_target_properties(minitrain_cuda PROPERTIES EXCLUDE_FROM_ALL ON)  # built for those who link it
endif()
add_library(minitrain::cuda ALIAS minitrain_cuda)
set_target_properties(minitrain_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON)
target_link_libraries(minitrain_cuda PUBLIC minitrain)
