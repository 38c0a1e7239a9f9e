# Compiler flags of all our targets: warnings, sanitizers, hardening.

option(DEIS_WERROR "treat warnings as errors" OFF)
option(DEIS_HARDEN "fortify, stack protector, PIE, full RELRO" OFF)
set(DEIS_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")

add_compile_definitions(_GNU_SOURCE DEIS_VERSION="${PROJECT_VERSION}")
add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef
  -Wcast-qual -Wpointer-arith -Wno-unused-parameter -Wno-missing-field-initializers
  -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections -Wl,--as-needed)

if(DEIS_WERROR)
  add_compile_options(-Werror)
endif()

if(DEIS_SANITIZE)
  add_compile_options(-fsanitize=${DEIS_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DEIS_SANITIZE})
endif()

# All of our code, not the targets alone: the fuzzer is led by what the code under test covers.
if(DEIS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(DEIS_HARDEN)
  set(is_module $<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
                      -fstack-clash-protection -fcf-protection -g1
                      $<$<NOT:${is_module}>:-fPIE>)
  add_link_options($<$<NOT:${is_module}>:-pie> -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
