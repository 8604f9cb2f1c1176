# Compiles Proxy-Wasm guests, those of filters/ and those of test/data/guests/.
#
#   weir_cpp_guest(<name> <sources>... [NO_SDK] [LINES] [DIR <dir>] [PUBLISH])
#   weir_rust_guest(<name> <crate dir> [DIR <dir>] [PUBLISH])
#   weir_wat_guest(<name> <source.wat> [DIR <dir>])
#   weir_go_guest(<name> <module dir> [DIR <dir>] [PUBLISH])
#   weir_as_guest(<name> <package dir> [DIR <dir>] [PUBLISH])
#
# Each makes <dir>/<name>.wasm (default: filters/ of the build tree) and adds it to the target `guests`. PUBLISH also puts it
# into filters/out/ of the source tree by rename, so that a running weir that watches the file never sees half of it. LINES keeps
# source lines for stacks.
# Where a toolchain is missing, its guests are skipped; one status line says so. WEIR_<LANGUAGE>_GUESTS says what there is.

set(WEIR_GUEST_PUBLISH_DIR ${CMAKE_CURRENT_LIST_DIR}/out)
set(WEIR_GUEST_SDK_DIR ${CMAKE_CURRENT_LIST_DIR}/sdk/cpp)
set(WEIR_GUEST_DEFAULT_DIR ${CMAKE_BINARY_DIR}/filters)
set(WEIR_GUEST_WARNINGS -Wall -Wextra)

# --- C++ -----------------------------------------------------------------------------------------------------------------
# clang with wasi-libc and libc++ for wasm32. -fno-exceptions: the ABI has none, and they would need a runtime.
set(WEIR_GUEST_CXX_FLAGS --target=wasm32-wasi -std=c++20 -O2 -fno-exceptions -fno-rtti ${WEIR_GUEST_WARNINGS}
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
set(WEIR_GUEST_LINK_FLAGS --target=wasm32-wasi -mexec-model=reactor)

function(weir_find_cpp_guest_compiler)
  set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/weir_guest_probe)
  file(WRITE ${probe}.cc "#include <string>\nextern \"C\" __attribute__((export_name(\"f\"))) int f(int n) { return std::string(n, 'x').size(); }\n")
  foreach(name IN ITEMS "${WEIR_GUEST_CXX}" "$ENV{WEIR_GUEST_CXX}" clang++ clang++-19 clang++-14 clang++-18 clang++-17 clang++-16)
    if(NOT name)
      continue()
    endif()
    find_program(compiler NAMES ${name} NO_CACHE)
    if(compiler)
      # What was found to work stays so: the probe costs a second.
      set(failed OFF)
      if(NOT compiler STREQUAL "${WEIR_GUEST_CXX}")
        execute_process(COMMAND ${compiler} ${WEIR_GUEST_CXX_FLAGS} -mexec-model=reactor ${probe}.cc -o ${probe}.wasm
                        RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
      endif()
      if(NOT failed)
        set(WEIR_GUEST_CXX ${compiler} CACHE STRING "A clang++ that compiles for wasm32-wasi")
        set(WEIR_CPP_GUESTS ON CACHE INTERNAL "")
        message(STATUS "Guests in C++: ${compiler}")
        return()
      endif()
    endif()
    unset(compiler)
  endforeach()
  set(WEIR_CPP_GUESTS OFF CACHE INTERNAL "")
  message(STATUS "Guests in C++: skipped, no compiler for wasm32-wasi (Debian 12: clang lld wasi-libc libclang-rt-14-dev-wasm32 libc++-14-dev-wasm32)")
endfunction()

# --- Rust ----------------------------------------------------------------------------------------------------------------
# The first toolchain that has a wasm target: that of WEIR_GUEST_RUSTC, that on the PATH, then the distribution's.
function(weir_find_rust_guest_toolchain)
  set(WEIR_RUST_GUESTS OFF CACHE INTERNAL "")
  set(candidates ${WEIR_GUEST_RUSTC} $ENV{WEIR_GUEST_RUSTC})
  find_program(rustc_on_path rustc NO_CACHE)
  if(rustc_on_path)
    list(APPEND candidates ${rustc_on_path})
  endif()
  list(APPEND candidates /usr/bin/rustc)
  foreach(rustc IN LISTS candidates)
    foreach(target wasm32-wasip1 wasm32-wasi)
      execute_process(COMMAND ${rustc} --print target-libdir --target ${target}
                      RESULT_VARIABLE failed OUTPUT_VARIABLE libdir ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      file(GLOB core_library "${libdir}/libcore-*.rlib")
      if(failed OR NOT core_library)
        continue()
      endif()
      get_filename_component(bin ${rustc} DIRECTORY)
      if(NOT EXISTS ${bin}/cargo)
        continue()
      endif()
      execute_process(COMMAND ${rustc} --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
      set(WEIR_RUST_GUESTS ON CACHE INTERNAL "")
      set(WEIR_GUEST_RUST_TARGET ${target} CACHE INTERNAL "")
      set(WEIR_GUEST_RUST_ENVIRONMENT RUSTC=${rustc} "PATH=${bin}:$ENV{PATH}" CACHE INTERNAL "")
      set(WEIR_GUEST_CARGO ${bin}/cargo CACHE INTERNAL "")
      # Cargo before 1.68 knows the sparse registry protocol as an unstable option only.
      if(version MATCHES "rustc 1\\.([0-9]+)" AND CMAKE_MATCH_1 LESS 68)
        set(WEIR_GUEST_RUST_ENVIRONMENT ${WEIR_GUEST_RUST_ENVIRONMENT} RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_SPARSE_REGISTRY=true
            CACHE INTERNAL "")
      endif()
      # Debian 13's rustc asks for the rust-lld that only toolchains of rustup bring along.
      execute_process(COMMAND ${rustc} --print sysroot OUTPUT_VARIABLE sysroot OUTPUT_STRIP_TRAILING_WHITESPACE)
      file(GLOB own_linker "${sysroot}/lib/rustlib/*/bin/rust-lld")
      find_program(WEIR_WASM_LD NAMES wasm-ld wasm-ld-19 wasm-ld-18 wasm-ld-17 DOC "Linker for Rust guests (Debian: lld)")
      if(target STREQUAL "wasm32-wasip1" AND NOT own_linker AND WEIR_WASM_LD)
        set(WEIR_GUEST_RUST_ENVIRONMENT ${WEIR_GUEST_RUST_ENVIRONMENT} CARGO_TARGET_WASM32_WASIP1_LINKER=${WEIR_WASM_LD}
            CACHE INTERNAL "")
      endif()
      message(STATUS "Guests in Rust: ${rustc} (${version}), ${target}")
      return()
    endforeach()
  endforeach()
  message(STATUS "Guests in Rust: skipped, no toolchain with a wasm32-wasi target (Debian: rustc cargo libstd-rust-dev-wasm32 lld)")
endfunction()

# --- WAT, Go, AssemblyScript ---------------------------------------------------------------------------------------------
function(weir_find_other_guest_toolchains)
  find_program(WEIR_WAT2WASM wat2wasm DOC "Assembler of WebAssembly text (Debian: wabt)")
  if(WEIR_WAT2WASM)
    set(WEIR_WAT_GUESTS ON CACHE INTERNAL "")
    message(STATUS "Guests in WAT: ${WEIR_WAT2WASM}")
  else()
    set(WEIR_WAT_GUESTS OFF CACHE INTERNAL "")
    message(STATUS "Guests in WAT: skipped, no wat2wasm (Debian: wabt)")
  endif()
  set(WEIR_GO_GUESTS OFF CACHE INTERNAL "")
  find_program(WEIR_GO go DOC "Go 1.24 or newer")
  if(WEIR_GO)
    execute_process(COMMAND ${WEIR_GO} env GOVERSION WORKING_DIRECTORY / OUTPUT_VARIABLE version ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  if(WEIR_GO AND version MATCHES "go1\\.([0-9]+)" AND NOT CMAKE_MATCH_1 LESS 24)
    set(WEIR_GO_GUESTS ON CACHE INTERNAL "")
    message(STATUS "Guests in Go: ${WEIR_GO} (${version})")
  else()
    message(STATUS "Guests in Go: skipped, no Go 1.24 or newer")
  endif()
  weir_find_as_guest_toolchain()
endfunction()

# The compiler itself comes from npm, in the version that the package's lock file names.
function(weir_find_as_guest_toolchain)
  set(WEIR_AS_GUESTS OFF CACHE INTERNAL "")
  find_program(WEIR_NODE NAMES node nodejs DOC "Node.js 18 or newer, for guests in AssemblyScript")
  find_program(WEIR_NPM npm DOC "The package manager of Node.js")
  if(WEIR_NODE)
    execute_process(COMMAND ${WEIR_NODE} --version OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  if(WEIR_NODE AND WEIR_NPM AND version MATCHES "^v([0-9]+)" AND NOT CMAKE_MATCH_1 LESS 18)
    set(WEIR_AS_GUESTS ON CACHE INTERNAL "")
    message(STATUS "Guests in AssemblyScript: ${WEIR_NODE} (${version})")
  else()
    message(STATUS "Guests in AssemblyScript: skipped, no Node.js 18 or newer with npm (Debian: nodejs npm)")
  endif()
endfunction()

# --- one guest -----------------------------------------------------------------------------------------------------------

# Adds `file` to the target `guests` under a target of its own, guest_<name>.
function(weir_guest_target name file)
  add_custom_target(guest_${name} DEPENDS ${file})
  add_dependencies(guests guest_${name})
endfunction()

# Sets <out> to the commands that put `file` into filters/out/.
function(weir_guest_publish_commands out name file)
  set(${out}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${WEIR_GUEST_PUBLISH_DIR}
      COMMAND ${CMAKE_COMMAND} -E copy ${file} ${WEIR_GUEST_PUBLISH_DIR}/.${name}.tmp
      COMMAND ${CMAKE_COMMAND} -E rename ${WEIR_GUEST_PUBLISH_DIR}/.${name}.tmp ${WEIR_GUEST_PUBLISH_DIR}/${name}.wasm
      PARENT_SCOPE)
endfunction()

# What all guests have in common: the options after the sources, `file` (the module to make) and `publish` (the commands that
# put it among the published ones). A macro, for the caller's variables.
macro(weir_guest_output name)
  cmake_parse_arguments(ARG "NO_SDK;LINES;PUBLISH" "DIR" "" ${ARGN})
  if(NOT ARG_DIR)
    set(ARG_DIR ${WEIR_GUEST_DEFAULT_DIR})
  endif()
  file(MAKE_DIRECTORY ${ARG_DIR})
  set(file ${ARG_DIR}/${name}.wasm)
  set(publish)
  if(ARG_PUBLISH)
    weir_guest_publish_commands(publish ${name} ${file})
  endif()
endmacro()

# Compiles one source to an object, with the flags that follow. The SDK's object is made once and shared.
function(weir_cpp_guest_object out source object)
  get_property(known GLOBAL PROPERTY WEIR_GUEST_OBJECT_${object})
  if(NOT known)
    get_filename_component(dir ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${dir})
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${WEIR_GUEST_CXX} ${WEIR_GUEST_CXX_FLAGS} ${ARGN} -I${WEIR_GUEST_SDK_DIR} -I${WEIR_GUEST_SDK_DIR}/../..
              -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "Compiling guest source ${source}"
      VERBATIM)
    set_property(GLOBAL PROPERTY WEIR_GUEST_OBJECT_${object} ON)
  endif()
  set(${out} ${object} PARENT_SCOPE)
endfunction()

function(weir_cpp_guest name)
  if(NOT WEIR_CPP_GUESTS)
    return()
  endif()
  weir_guest_output(${name} ${ARGN})
  set(compile)
  set(link -Wl,--strip-debug)
  if(ARG_LINES)
    set(compile -gline-tables-only)
    set(link)
  endif()
  set(objects)
  foreach(source IN LISTS ARG_UNPARSED_ARGUMENTS)
    get_filename_component(source ${source} ABSOLUTE)
    get_filename_component(base ${source} NAME_WE)
    weir_cpp_guest_object(object ${source} ${ARG_DIR}/objects/${name}/${base}.o ${compile})
    list(APPEND objects ${object})
  endforeach()
  set(sdk_target)
  if(NOT ARG_NO_SDK)
    list(APPEND objects ${WEIR_GUEST_DEFAULT_DIR}/objects/sdk/proxy_wasm_intrinsics.o
                        ${WEIR_GUEST_DEFAULT_DIR}/objects/sdk/proxy_wasm_callouts.o)
    set(sdk_target guest_sdk_object)
  endif()
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${WEIR_GUEST_CXX} ${WEIR_GUEST_LINK_FLAGS} ${link} ${objects} -o ${file}
    ${publish}
    DEPENDS ${objects} ${sdk_target}
    COMMENT "Linking guest ${name}.wasm"
    VERBATIM)
  weir_guest_target(${name} ${file})
endfunction()

# Cargo knows itself what is out of date; its sources are listed here so that it is asked at all.
function(weir_rust_guest name crate)
  if(NOT WEIR_RUST_GUESTS)
    return()
  endif()
  weir_guest_output(${name} ${ARGN})
  get_filename_component(crate ${crate} ABSOLUTE)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${crate}/src/*.rs)
  # One target directory for all crates: their common dependencies are compiled once.
  set(target_dir ${CMAKE_BINARY_DIR}/filters/cargo)
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E env --unset=RUSTC_WRAPPER ${WEIR_GUEST_RUST_ENVIRONMENT} CARGO_TARGET_DIR=${target_dir}
            ${WEIR_GUEST_CARGO} build --quiet --release --locked --target ${WEIR_GUEST_RUST_TARGET} --manifest-path ${crate}/Cargo.toml
    COMMAND ${CMAKE_COMMAND} -E copy ${target_dir}/${WEIR_GUEST_RUST_TARGET}/release/${name}.wasm ${file}
    ${publish}
    DEPENDS ${sources} ${crate}/Cargo.toml ${crate}/Cargo.lock
    COMMENT "Building Rust guest ${name}.wasm"
    VERBATIM)
  weir_guest_target(${name} ${file})
endfunction()

function(weir_wat_guest name source)
  if(NOT WEIR_WAT_GUESTS)
    return()
  endif()
  weir_guest_output(${name} ${ARGN})
  get_filename_component(source ${source} ABSOLUTE)
  add_custom_command(OUTPUT ${file}
    COMMAND ${WEIR_WAT2WASM} ${source} -o ${file}
    ${publish}
    DEPENDS ${source} COMMENT "Assembling guest ${name}.wasm" VERBATIM)
  weir_guest_target(${name} ${file})
endfunction()

function(weir_go_guest name module)
  if(NOT WEIR_GO_GUESTS)
    return()
  endif()
  weir_guest_output(${name} ${ARGN})
  get_filename_component(module ${module} ABSOLUTE)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${module}/*.go)
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E env GOOS=wasip1 GOARCH=wasm GOFLAGS=-mod=readonly
            ${WEIR_GO} build -C ${module} -buildmode=c-shared -o ${file} .
    ${publish}
    DEPENDS ${sources} ${module}/go.mod ${module}/go.sum COMMENT "Building Go guest ${name}.wasm" VERBATIM)
  weir_guest_target(${name} ${file})
endfunction()

# What a lock file names, installed into a folder of the build tree; packages with the same lock file share it.
function(weir_npm_packages out package)
  file(MD5 ${package}/package-lock.json digest)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${package}/package-lock.json)
  set(folder ${CMAKE_BINARY_DIR}/filters/npm/${digest})
  get_property(known GLOBAL PROPERTY WEIR_NPM_${digest})
  if(NOT known)
    add_custom_command(OUTPUT ${folder}/installed
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${CMAKE_COMMAND} -E copy ${package}/package.json ${package}/package-lock.json ${folder}
      COMMAND ${CMAKE_COMMAND} -E chdir ${folder}
              ${WEIR_NPM} ci --silent --ignore-scripts --no-audit --no-fund --prefer-offline
      COMMAND ${CMAKE_COMMAND} -E touch ${folder}/installed
      DEPENDS ${package}/package.json COMMENT "Installing npm packages of ${package}" VERBATIM)
    add_custom_target(guest_npm_${digest} DEPENDS ${folder}/installed)
    set_property(GLOBAL PROPERTY WEIR_NPM_${digest} ON)
  endif()
  set(${out} ${folder} PARENT_SCOPE)
endfunction()

# The compiler resolves packages beside the sources: they are compiled from a copy with a link to what is installed. asconfig.json names
# build/filter.wasm as its output: the option for that has changed with the compiler.
function(weir_as_guest name package)
  if(NOT WEIR_AS_GUESTS)
    return()
  endif()
  weir_guest_output(${name} ${ARGN})
  get_filename_component(package ${package} ABSOLUTE)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${package}/assembly/*.ts)
  weir_npm_packages(npm ${package})
  get_filename_component(digest ${npm} NAME)
  set(work ${CMAKE_BINARY_DIR}/filters/as/${name})
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${work}
    COMMAND ${CMAKE_COMMAND} -E copy_directory ${package}/assembly ${work}/assembly
    COMMAND ${CMAKE_COMMAND} -E copy ${package}/asconfig.json ${work}
    COMMAND ${CMAKE_COMMAND} -E create_symlink ${npm}/node_modules ${work}/node_modules
    COMMAND ${CMAKE_COMMAND} -E chdir ${work}
            ${WEIR_NODE} node_modules/.bin/asc assembly/index.ts --config asconfig.json
    COMMAND ${CMAKE_COMMAND} -E copy ${work}/build/filter.wasm ${file}
    ${publish}
    DEPENDS ${sources} ${package}/asconfig.json ${npm}/installed guest_npm_${digest}
    COMMENT "Building AssemblyScript guest ${name}.wasm"
    VERBATIM)
  weir_guest_target(${name} ${file})
endfunction()
