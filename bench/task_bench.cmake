# The runtime's own costs, with its tracking and without: the same source twice.
find_package(benchmark REQUIRED)
add_executable(quoll_task_bench ${CMAKE_CURRENT_LIST_DIR}/task_bench.cpp)
target_link_libraries(quoll_task_bench PRIVATE quoll::task benchmark::benchmark)

file(GLOB TASK_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../task/*.cpp)
list(FILTER TASK_SOURCES EXCLUDE REGEX "_test\\.cpp$")
add_executable(quoll_task_bench_untracked ${CMAKE_CURRENT_LIST_DIR}/task_bench.cpp ${TASK_SOURCES})
target_compile_definitions(quoll_task_bench_untracked PRIVATE QUOLL_TASK_UNTRACKED)
target_precompile_headers(quoll_task_bench_untracked PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)
target_link_libraries(quoll_task_bench_untracked PRIVATE quoll_flags Threads::Threads benchmark::benchmark)
