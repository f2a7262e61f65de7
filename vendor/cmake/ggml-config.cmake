# Found by llama.cpp's own find_package(ggml): the prebuilt libraries of the same release, put into EXO_LIBRARY_DIR.

foreach(_library ggml-base ggml)
    if(_library STREQUAL "ggml")
        set(_file "${EXO_PREBUILT_GGML}")
    else()
        set(_file "${EXO_PREBUILT_GGML_BASE}")
    endif()
    add_library(ggml::${_library} SHARED IMPORTED GLOBAL)
    set_target_properties(ggml::${_library} PROPERTIES
        IMPORTED_LOCATION "${EXO_LIBRARY_DIR}/${_file}"
        INTERFACE_INCLUDE_DIRECTORIES "${EXO_LLAMA_SOURCE}/ggml/include"
        INTERFACE_COMPILE_DEFINITIONS "GGML_SHARED;GGML_BACKEND_SHARED"
    )
endforeach()
set_target_properties(ggml::ggml PROPERTIES INTERFACE_LINK_LIBRARIES ggml::ggml-base)

set(ggml_FOUND TRUE)
