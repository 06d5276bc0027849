# What every target of Quoll shares: flags, the precompiled header, and the two ways to declare a folder.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

# Lines are enough for stacks and profiles, and compile a quarter faster; -g is for a debugger.
set(QUOLL_DEBUG_INFO "-g" CACHE STRING "Debug information: -g or -gline-tables-only")

add_library(quoll_flags INTERFACE)
target_include_directories(quoll_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(quoll_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Wno-gnu-zero-variadic-macro-arguments
  ${QUOLL_DEBUG_INFO} -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
  -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/= -Xclang -fno-pch-timestamp)
target_compile_definitions(quoll_flags INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  QUOLL_VERSION="${PROJECT_VERSION}")
target_link_options(quoll_flags INTERFACE -fuse-ld=lld-19)

set(QUOLL_SANITIZE "" CACHE STRING "Value for -fsanitize, or empty")
if(QUOLL_SANITIZE)
  target_compile_options(quoll_flags INTERFACE -fsanitize=${QUOLL_SANITIZE} -fno-sanitize-recover=undefined)
  target_link_options(quoll_flags INTERFACE -fsanitize=${QUOLL_SANITIZE})
  target_compile_definitions(quoll_flags INTERFACE QUOLL_SANITIZED)
endif()

# All unit-test programs, without the daemon and the benchmarks: what the sanitizer presets build.
add_custom_target(unit-tests)

# quoll_library(task LINK ...): target quoll_task (quoll::task) of all .cpp files below the folder that are not tests,
# and, where there are *_test.cpp files, one program quoll_task_test registered with ctest.
function(quoll_library NAME)
  cmake_parse_arguments(ARG "" "EXCEPT" "LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB_RECURSE SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(TESTS ${SOURCES})
  list(FILTER SOURCES EXCLUDE REGEX "(_test|_main)\\.cpp$")
  list(FILTER TESTS INCLUDE REGEX "_test\\.cpp$")
  if(ARG_EXCEPT)
    list(REMOVE_ITEM SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_EXCEPT})
  endif()
  add_library(quoll_${NAME} STATIC ${SOURCES})
  add_library(quoll::${NAME} ALIAS quoll_${NAME})
  # Who uses an installed library brings flags of their own (cmake/install.cmake).
  target_link_libraries(quoll_${NAME} PUBLIC $<BUILD_INTERFACE:quoll_flags> ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  target_precompile_headers(quoll_${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)
  if(TESTS AND NOT QUOLL_LIBRARY_ONLY)
    add_executable(quoll_${NAME}_test ${TESTS})
    target_link_libraries(quoll_${NAME}_test PRIVATE quoll_${NAME} ${ARG_PRIVATE_LINK} quoll_test_main)
    target_precompile_headers(quoll_${NAME}_test REUSE_FROM quoll_${NAME})
    add_dependencies(unit-tests quoll_${NAME}_test)
    add_test(NAME ${NAME} COMMAND quoll_${NAME}_test)
    set_tests_properties(${NAME} PROPERTIES TIMEOUT 300 LABELS unit)
  endif()
endfunction()
