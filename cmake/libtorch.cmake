# LibTorch out of the torch wheel, as imported targets made here: the wheel's own TorchConfig.cmake drags in a CUDA
# detection that fails with nvcc 13 under CMake 3.25. SPDX-License-Identifier: Apache-2.0
set(STUDIO_TORCH_DIR "" CACHE PATH "The wheel's torch folder (site-packages/torch); found through MEANFLOW_ENV when empty")
if(NOT STUDIO_TORCH_DIR)
  set(env_dir $ENV{MEANFLOW_ENV})
  if(NOT env_dir)
    set(cache_home $ENV{XDG_CACHE_HOME})
    if(NOT cache_home)
      set(cache_home $ENV{HOME}/.cache)
    endif()
    set(env_dir ${cache_home}/meanflow-studio/env-torch-2.11.0)
  endif()
  file(GLOB found ${env_dir}/lib/python3*/site-packages/torch)
  list(GET found 0 STUDIO_TORCH_DIR)
endif()
if(NOT EXISTS ${STUDIO_TORCH_DIR}/include/torch/csrc/api/include/torch/torch.h)
  message(FATAL_ERROR "LibTorch not found (looked in '${STUDIO_TORCH_DIR}'). Run packaging/setup, or set STUDIO_TORCH_DIR to site-packages/torch.")
endif()
message(STATUS "LibTorch: ${STUDIO_TORCH_DIR}")

foreach(name c10 torch_cpu)
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${STUDIO_TORCH_DIR}/lib/lib${name}.so)
endforeach()

# libtorch_cuda.so is opened at run time where there is a driver (core/device): a CPU machine never pays for loading it.
add_library(studio_torch INTERFACE)
add_library(studio::torch ALIAS studio_torch)
# The wheel carries newer fmt headers than the library that spdlog is linked with: spdlog's come first.
find_path(FMT_INCLUDE_DIR fmt/format.h REQUIRED)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/first_include)
file(CREATE_LINK ${FMT_INCLUDE_DIR}/fmt ${CMAKE_BINARY_DIR}/first_include/fmt SYMBOLIC)
target_include_directories(studio_torch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/first_include
  ${STUDIO_TORCH_DIR}/include ${STUDIO_TORCH_DIR}/include/torch/csrc/api/include)
target_compile_definitions(studio_torch INTERFACE USE_C10D_GLOO USE_DISTRIBUTED)
target_link_libraries(studio_torch INTERFACE torch_cpu c10 Threads::Threads)
set(STUDIO_TORCH_LIB_DIR ${STUDIO_TORCH_DIR}/lib)
list(APPEND CMAKE_BUILD_RPATH ${STUDIO_TORCH_LIB_DIR})
