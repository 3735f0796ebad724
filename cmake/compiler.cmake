# Warnings, linker, ccache, sanitizers: settings shared by every target. SPDX-License-Identifier: Apache-2.0
find_program(STUDIO_CCACHE ccache)
if(STUDIO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers are only cached with these sloppiness settings; no timestamps go into our objects.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${STUDIO_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_library(studio_warnings INTERFACE)
add_library(studio::warnings ALIAS studio_warnings)
target_compile_options(studio_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)

add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
find_program(STUDIO_MOLD mold)
if(STUDIO_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
if(STUDIO_SANITIZER)
  add_compile_options(-fsanitize=${STUDIO_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${STUDIO_SANITIZER})
endif()
