# weir_layer(NAME [LIBS library...])
#
# Makes the library weir_NAME from src/NAME/**/*.cc. It sees the layers declared before it and the libraries named here.
# An empty layer is an interface library, so that the order can be declared before the code is there.
set(WEIR_LAYERS "" CACHE INTERNAL "")

function(weir_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "LIBS")
  set(folder ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/src/wasm/v8/")

  list(TRANSFORM WEIR_LAYERS PREPEND weir_ OUTPUT_VARIABLE earlier)
  list(REVERSE earlier)
  set(target weir_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    # Position independent without symbol interposition: the engine module links some of the lower layers.
    target_compile_options(${target} PRIVATE -fPIC -fno-semantic-interposition)
    target_link_libraries(${target} PUBLIC weir_options tl::expected Threads::Threads PRIVATE ${ARG_LIBS})
    target_link_libraries(${target} PUBLIC ${earlier})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE weir_options tl::expected Threads::Threads ${earlier} ${ARG_LIBS})
  endif()
  set(WEIR_LAYERS ${WEIR_LAYERS} ${name} CACHE INTERNAL "")
endfunction()
