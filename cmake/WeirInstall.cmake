# What `cmake --install` puts where: the binary, the engine module beside the libraries, the public headers and a package
# for filters that are built outside this tree (find_package(weir), target weir::extension).
include(CMakePackageConfigHelpers)

if(TARGET weir)
  install(TARGETS weir RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()
if(TARGET weir_v8)
  install(TARGETS weir_v8 LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/weir COMPONENT runtime)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/weir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h")

# What the public headers declare and do not define: header maps, buffers, matchers, formats. Tests of filters link it.
install(TARGETS weir_base weir_http weir_stream
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/weir COMPONENT development)
set(WEIR_ARCHIVE_DIR ${CMAKE_INSTALL_LIBDIR}/weir)

set(WEIR_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/weirConfig.cmake.in ${CMAKE_BINARY_DIR}/weirConfig.cmake
  INSTALL_DESTINATION ${WEIR_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_INCLUDEDIR WEIR_ARCHIVE_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/weirConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/weirConfig.cmake ${CMAKE_BINARY_DIR}/weirConfigVersion.cmake
  DESTINATION ${WEIR_PACKAGE_DIR} COMPONENT development)
