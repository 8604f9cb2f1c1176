# Finds V8 and defines the target V8::V8.
#
# Tried in this order:
#   -DV8_ROOT=DIR   a V8 of the user's own: headers in DIR/include[/node], a library in DIR/lib or DIR
#   .deps/          Debian's libnode packages unpacked in the source folder (tools/build does it where apt cannot install them)
#   the system      Debian's libnode-dev: /usr/include/node and libnode.so
set(_v8_unpacked ${CMAKE_SOURCE_DIR}/.deps/usr)

# find_* would keep an answer of an earlier V8_ROOT.
if(NOT "${_V8_LAST_ROOT}" STREQUAL "${V8_ROOT}")
  unset(V8_INCLUDE_DIR CACHE)
  unset(V8_LIBRARY CACHE)
  set(_V8_LAST_ROOT "${V8_ROOT}" CACHE INTERNAL "")
endif()

if(V8_ROOT)
  find_path(V8_INCLUDE_DIR v8.h PATHS ${V8_ROOT} PATH_SUFFIXES include/node include NO_DEFAULT_PATH)
  find_library(V8_LIBRARY NAMES node v8_monolith v8 PATHS ${V8_ROOT}
    PATH_SUFFIXES lib/${CMAKE_LIBRARY_ARCHITECTURE} lib lib64 obj . NO_DEFAULT_PATH)
else()
  find_path(V8_INCLUDE_DIR v8.h PATHS ${_v8_unpacked} PATH_SUFFIXES include/node NO_DEFAULT_PATH)
  find_library(V8_LIBRARY NAMES node PATHS ${_v8_unpacked}/lib PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  find_path(V8_INCLUDE_DIR v8.h PATH_SUFFIXES node)
  find_library(V8_LIBRARY NAMES node)
endif()

if(V8_INCLUDE_DIR AND EXISTS ${V8_INCLUDE_DIR}/v8-version.h)
  file(STRINGS ${V8_INCLUDE_DIR}/v8-version.h _v8_lines REGEX "#define V8_(MAJOR|MINOR|BUILD)_")
  string(REGEX REPLACE ".*V8_MAJOR_VERSION ([0-9]+).*V8_MINOR_VERSION ([0-9]+).*V8_BUILD_NUMBER ([0-9]+).*" "\\1.\\2.\\3"
    V8_VERSION "${_v8_lines}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(V8 REQUIRED_VARS V8_LIBRARY V8_INCLUDE_DIR VERSION_VAR V8_VERSION)
mark_as_advanced(V8_INCLUDE_DIR V8_LIBRARY)

if(V8_FOUND AND NOT TARGET V8::V8)
  get_filename_component(_v8_library_dir ${V8_LIBRARY} DIRECTORY)
  get_filename_component(_v8_library_real ${V8_LIBRARY} REALPATH)
  add_library(V8::V8 UNKNOWN IMPORTED)
  set_target_properties(V8::V8 PROPERTIES
    IMPORTED_LOCATION ${_v8_library_real}
    INTERFACE_INCLUDE_DIRECTORIES ${V8_INCLUDE_DIR})
  # The library's own dependencies are found by the loader, not by the linker; the rpath serves a library outside /usr/lib.
  target_link_options(V8::V8 INTERFACE -Wl,--allow-shlib-undefined)
  if(NOT _v8_library_dir MATCHES "^/usr/lib")
    target_link_options(V8::V8 INTERFACE -Wl,-rpath,${_v8_library_dir})
  endif()
endif()
