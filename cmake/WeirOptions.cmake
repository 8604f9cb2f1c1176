# Compiler, linker and sanitizer settings that every target shares through weir_options.
include(CheckLinkerFlag)

add_library(weir_options INTERFACE)
target_compile_options(weir_options INTERFACE -Wall -Wextra $<$<BOOL:${WEIR_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC sees overlaps and uninitialised reads in inlined std::string and std::optional that are not there (GCC PR 105651,
  # 105562); clang and the sanitizers watch the real ones.
  target_compile_options(weir_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(weir_options INTERFACE WEIR_VERSION="${PROJECT_VERSION}")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

find_program(WEIR_CCACHE ccache)
mark_as_advanced(WEIR_CCACHE)
if(WEIR_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths are made relative so that every build folder and clone shares the cache.
  set(WEIR_CCACHE_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${WEIR_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${WEIR_CCACHE_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEIR_CCACHE_LAUNCHER})
endif()

if(WEIR_LTO)
  include(CheckIPOSupported)
  check_ipo_supported()
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

# A fast linker where there is one. GCC's LTO needs its own.
if(NOT (WEIR_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU"))
  foreach(linker mold lld gold)
    check_linker_flag(CXX -fuse-ld=${linker} WEIR_LINKER_${linker})
    if(WEIR_LINKER_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()
add_link_options(-Wl,--as-needed)

if(WEIR_SANITIZE)
  # The engine module is compiled without RTTI, as libnode is: the vptr check cannot look at its objects.
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
  if(WEIR_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize=vptr -fno-sanitize-recover=undefined)
    add_link_options(-fno-sanitize=vptr)
  endif()
endif()

if(WEIR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(V8)
if(WEIR_REQUIRE_V8 AND NOT V8_FOUND)
  message(FATAL_ERROR "V8 was not found: run tools/build, which fetches it, or give -DV8_ROOT=DIR")
endif()
find_package(ZLIB REQUIRED)
foreach(library re2 event_core event_pthreads cares hiredis nghttp2 brotlienc brotlidec zstd)
  string(TOUPPER ${library} upper)
  find_library(WEIR_${upper}_LIBRARY ${library} REQUIRED)
endforeach()
# yaml-cpp 0.7 names its target plainly, 0.8 with a namespace.
if(TARGET yaml-cpp::yaml-cpp)
  set(WEIR_YAML_LIBRARY yaml-cpp::yaml-cpp)
else()
  set(WEIR_YAML_LIBRARY yaml-cpp)
endif()
