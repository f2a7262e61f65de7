#pragma once

// The one way into node-addon-api: N-API version and exception mode are set by native/CMakeLists.txt.
#include <napi.h>
