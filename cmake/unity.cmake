# Several sources of one folder compiled as one. SPDX-License-Identifier: Apache-2.0
#
# g++ instantiates what torch/torch.h leaves pending at the end of every translation unit, precompiled header or not: 12
# seconds a file, whatever the file does; Qt's headers take 3 to 5. Sources that share a unit share that cost. Names in
# anonymous namespaces of one folder must therefore differ (or the file sets SKIP_UNITY_BUILD_INCLUSION). Off in the
# preset dev, where one file is edited at a time.
option(STUDIO_UNITY "Compile the sources of a folder together" ON)

# studio_unity(TARGET [FILES_PER_UNIT]): call it when the target has all its sources.
function(studio_unity target)
  if(NOT STUDIO_UNITY)
    return()
  endif()
  set(files_per_unit 6)
  if(ARGC GREATER 1)
    set(files_per_unit ${ARGV1})
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # Sources are included into the unit, so g++ takes their anonymous namespaces for those of a header.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  get_target_property(sources ${target} SOURCES)
  get_target_property(source_dir ${target} SOURCE_DIR)
  foreach(source ${sources})
    if(NOT source MATCHES "\\.cpp$")
      continue()
    endif()
    get_filename_component(file ${source} ABSOLUTE BASE_DIR ${source_dir})
    get_filename_component(folder ${file} DIRECTORY)
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${folder})
    string(REPLACE "/" "_" group ${folder})
    if(NOT DEFINED count_${group})
      set(count_${group} 0)
    endif()
    math(EXPR part "${count_${group}} / ${files_per_unit}")
    math(EXPR count_${group} "${count_${group}} + 1")
    set_property(SOURCE ${file} TARGET_DIRECTORY ${target} PROPERTY UNITY_GROUP ${group}_${part})
  endforeach()
endfunction()
