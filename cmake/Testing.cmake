# How a test is declared.
#
#   deis_unit_test(<name> SOURCES a_test.c LIBS libs...)     ctest name unit.<name>, label unit
#   deis_fuzz_target(<name> SOURCES fuzz_x.c LIBS libs...)   replays tests/fuzz/corpus/<name> as
#                                                            ctest replay.<name>, label unit; with
#                                                            DEIS_FUZZ it is a libFuzzer program
#   deis_integration_test(<name> SOURCES x.c LIBS libs...)   label integration
#
# With DEIS_TESTS off all are no-ops.

if(DEIS_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
  set(DEIS_TEST_ENV
      "ASAN_OPTIONS=allow_user_segv_handler=0:detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1")
endif()

function(deis_test_binary target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE ${ARG_LIBS})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

function(deis_unit_test name)
  if(DEIS_TESTS AND NOT DEIS_FUZZ)
    deis_test_binary(test_${name} ${ARGN})
    target_link_libraries(test_${name} PRIVATE PkgConfig::CMOCKA)
    add_test(NAME unit.${name} COMMAND test_${name})
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 300
                         ENVIRONMENT "${DEIS_TEST_ENV}")
  endif()
endfunction()

function(deis_integration_test name)
  if(DEIS_TESTS AND NOT DEIS_FUZZ)
    deis_test_binary(itest_${name} ${ARGN})
    target_link_libraries(itest_${name} PRIVATE PkgConfig::CMOCKA)
    add_test(NAME integration.${name} COMMAND itest_${name})
    set_tests_properties(integration.${name} PROPERTIES LABELS integration TIMEOUT 900
                         ENVIRONMENT "DEIS_BIN=${CMAKE_BINARY_DIR}/bin;${DEIS_TEST_ENV}")
  endif()
endfunction()

function(deis_fuzz_target name)
  if(NOT DEIS_TESTS)
    return()
  endif()
  deis_test_binary(fuzz_${name} ${ARGN})
  if(DEIS_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
    add_test(NAME replay.${name}
             COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(replay.${name} PROPERTIES LABELS unit TIMEOUT 300
                         ENVIRONMENT "${DEIS_TEST_ENV}")
  endif()
endfunction()
