# How tests are declared. Everything is found by name, so that adding a test is adding a file:
#   test/unit/<layer>/**/*_test.cc          -> test_<layer>, label unit
#   test/unit/wasm_v8/*_test.cc             -> test_wasm_v8, label unit, needs the engine module
#   test/integration/<x>_test.cc            -> it_<x>, label integration
#   test/integration/filters/<x>_test.cc    -> it_<x>, label filters: needs guests compiled from filters/
include(GoogleTest)

if(WEIR_TESTS)
  find_package(GTest REQUIRED)
endif()

function(weir_test_target target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/test)
  target_compile_definitions(${target} PRIVATE
    WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}" WEIR_BINARY_DIR="${CMAKE_BINARY_DIR}")
  # What is under test keeps its optimisation; the tests themselves are compiled in half the time without.
  if(NOT target MATCHES "^(bench|fuzz)_")
    target_compile_options(${target} PRIVATE -O0 -g1)
  endif()
endfunction()

# weir_unit_test(TARGET LIBS library... SOURCES file...): one executable, one ctest entry.
function(weir_unit_test target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "LIBS;SOURCES")
  add_executable(${target} ${ARG_SOURCES})
  weir_test_target(${target})
  target_link_libraries(${target} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${target} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# weir_integration_test(TARGET LABEL label SOURCES file... [LIBS library...] [TIMEOUT seconds]): one executable, a ctest entry per
# test.
function(weir_integration_test target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "LABEL;TIMEOUT" "LIBS;SOURCES")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${target} ${ARG_SOURCES})
  weir_test_target(${target})
  target_link_libraries(${target} PRIVATE weir_test_support weir_server ${ARG_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  foreach(needed weir_v8 weir)
    if(TARGET ${needed})
      add_dependencies(${target} ${needed})
    endif()
  endforeach()
  if(TARGET guests)
    add_dependencies(${target} guests)
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${target}: WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
