# Targets `llama`, `llama-common` and `ggml` for the addon and the native tests: include() this from the top level.
#
# `llama` is always ours: libllama cut by layers, compiled from the transformed tree. With EXO_GGML=prebuilt it takes
# the file name and SONAME of the prebuilt libllama, so that the prebuilt llama-common beside it loads ours; ggml and
# llama-common are then the prebuilt ones, put next to it. With EXO_GGML=source all three are compiled.
#
# Cache entries (all but the last come from prepareLlama() in vendor/prepare.ts):
#   EXO_LLAMA_SOURCE, EXO_LLAMA_TAG, EXO_LLAMA_COMMIT, EXO_GGML (prebuilt | source),
#   EXO_PREBUILT_DIR, EXO_PREBUILT_GGML, EXO_PREBUILT_GGML_BASE, EXO_PREBUILT_LLAMA, EXO_PREBUILT_LLAMA_COMMON,
#   EXO_PREBUILT_BACKENDS,
#   EXO_LIBRARY_DIR: where every library goes, next to the addon (default: CMAKE_LIBRARY_OUTPUT_DIRECTORY or bin).

cmake_minimum_required(VERSION 3.19)

foreach(_entry EXO_LLAMA_SOURCE EXO_LLAMA_TAG EXO_LLAMA_COMMIT EXO_GGML)
    if(NOT ${_entry})
        message(FATAL_ERROR "${_entry} is not set: configure through `npm run build:native`, which unpacks llama.cpp and passes it.")
    endif()
endforeach()

if(NOT EXO_LIBRARY_DIR)
    if(CMAKE_LIBRARY_OUTPUT_DIRECTORY)
        set(EXO_LIBRARY_DIR "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
    else()
        set(EXO_LIBRARY_DIR "${CMAKE_BINARY_DIR}/bin")
    endif()
endif()
file(MAKE_DIRECTORY "${EXO_LIBRARY_DIR}")

# Backends are loaded by looking into the directory, so none of another origin or release may stay behind there.
set(_origin "${EXO_GGML} ${EXO_LLAMA_TAG}")
set(_origin_before "${_origin}")
if(EXISTS "${EXO_LIBRARY_DIR}/.ggml-origin")
    file(READ "${EXO_LIBRARY_DIR}/.ggml-origin" _origin_before)
endif()
if(NOT _origin STREQUAL _origin_before)
    file(GLOB _left "${EXO_LIBRARY_DIR}/libggml*" "${EXO_LIBRARY_DIR}/libllama*" "${EXO_LIBRARY_DIR}/ggml*" "${EXO_LIBRARY_DIR}/llama*")
    if(_left)
        file(REMOVE ${_left})
    endif()
endif()
file(WRITE "${EXO_LIBRARY_DIR}/.ggml-origin" "${_origin}")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
endif()

set(BUILD_SHARED_LIBS ON CACHE BOOL "" FORCE)
set(LLAMA_BUILD_TESTS OFF CACHE BOOL "")
set(LLAMA_BUILD_TOOLS OFF CACHE BOOL "")
set(LLAMA_BUILD_EXAMPLES OFF CACHE BOOL "")
set(LLAMA_BUILD_SERVER OFF CACHE BOOL "")
set(LLAMA_BUILD_APP OFF CACHE BOOL "")
set(LLAMA_ALL_WARNINGS OFF CACHE BOOL "")
set(LLAMA_OPENSSL OFF CACHE BOOL "")
set(LLAMA_BUILD_IS_DEV OFF CACHE BOOL "")
string(SUBSTRING "${EXO_LLAMA_COMMIT}" 0 8 LLAMA_BUILD_COMMIT)
set(LLAMA_BUILD_NUMBER 0)

# Backends ggml loads by name sit beside it too, and a library names its neighbours without a release number.
set(CMAKE_PLATFORM_NO_VERSIONED_SONAME ON)
if(APPLE)
    set(EXO_RPATH "@loader_path")
else()
    set(EXO_RPATH "$ORIGIN")
endif()

if(EXO_GGML STREQUAL "prebuilt")
    set(LLAMA_USE_SYSTEM_GGML ON CACHE BOOL "" FORCE)
    set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)
    set(ggml_DIR "${CMAKE_CURRENT_LIST_DIR}/cmake" CACHE PATH "" FORCE)

    foreach(_file ${EXO_PREBUILT_GGML} ${EXO_PREBUILT_GGML_BASE} ${EXO_PREBUILT_LLAMA_COMMON} ${EXO_PREBUILT_BACKENDS})
        file(CREATE_LINK "${EXO_PREBUILT_DIR}/${_file}" "${EXO_LIBRARY_DIR}/${_file}" COPY_ON_ERROR)
    endforeach()

    add_subdirectory("${EXO_LLAMA_SOURCE}" "${CMAKE_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL)

    # libllama.v0.5.0.so → llama.v0.5.0
    string(REGEX REPLACE "^lib|\\.(so|dylib|dll)$" "" _llama_name "${EXO_PREBUILT_LLAMA}")
    set_target_properties(llama PROPERTIES OUTPUT_NAME "${_llama_name}")

    find_package(Threads REQUIRED)
    add_library(llama-common SHARED IMPORTED GLOBAL)
    set_target_properties(llama-common PROPERTIES
        IMPORTED_LOCATION "${EXO_LIBRARY_DIR}/${EXO_PREBUILT_LLAMA_COMMON}"
        INTERFACE_INCLUDE_DIRECTORIES "${EXO_LLAMA_SOURCE}/common;${EXO_LLAMA_SOURCE}/vendor"
        INTERFACE_LINK_LIBRARIES "llama;Threads::Threads"
    )
    add_dependencies(llama-common llama)
elseif(EXO_GGML STREQUAL "source")
    set(LLAMA_USE_SYSTEM_GGML OFF CACHE BOOL "" FORCE)
    set(LLAMA_BUILD_COMMON ON CACHE BOOL "" FORCE)
    add_subdirectory("${EXO_LLAMA_SOURCE}" "${CMAKE_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL)
    set_target_properties(llama-common PROPERTIES UNITY_BUILD OFF)
    # For this CPU's instructions, but scheduled as for any: gcc's own tuning for the newest CPUs makes some kernels slower.
    if(TARGET ggml-cpu AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        target_compile_options(ggml-cpu PRIVATE -mtune=generic)
    endif()
else()
    message(FATAL_ERROR "EXO_GGML must be prebuilt or source, not '${EXO_GGML}'.")
endif()

# Everything in one directory, found from there.
foreach(_target llama llama-common ggml ggml-base ggml-cpu ggml-metal ggml-blas ggml-cuda ggml-vulkan)
    if(NOT TARGET ${_target})
        continue()
    endif()
    get_target_property(_imported ${_target} IMPORTED)
    get_target_property(_aliased ${_target} ALIASED_TARGET)
    if(_imported OR _aliased)
        continue()
    endif()
    set_target_properties(${_target} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "${EXO_LIBRARY_DIR}"
        RUNTIME_OUTPUT_DIRECTORY "${EXO_LIBRARY_DIR}"
        BUILD_WITH_INSTALL_RPATH ON
        INSTALL_RPATH "${EXO_RPATH}"
    )
    # A multi-configuration generator would add Release/ to the directory.
    foreach(_config RELEASE RELWITHDEBINFO MINSIZEREL DEBUG)
        set_target_properties(${_target} PROPERTIES
            LIBRARY_OUTPUT_DIRECTORY_${_config} "${EXO_LIBRARY_DIR}"
            RUNTIME_OUTPUT_DIRECTORY_${_config} "${EXO_LIBRARY_DIR}"
        )
    endforeach()
endforeach()
