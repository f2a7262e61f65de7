#include "error.h"

#include <new>

namespace exo {

const char * error_code_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "invalid_argument";
        case ErrorCode::invalid_model:    return "invalid_model";
        case ErrorCode::unsupported:      return "unsupported";
        case ErrorCode::context_exceeded: return "context_exceeded";
        case ErrorCode::not_ready:        return "not_ready";
        case ErrorCode::overloaded:       return "overloaded";
        case ErrorCode::out_of_memory:    return "out_of_memory";
        case ErrorCode::cancelled:        return "cancelled";
        case ErrorCode::bad_frame:        return "bad_frame";
        case ErrorCode::stage_lost:       return "stage_lost";
        case ErrorCode::internal:         return "internal";
    }
    return "internal";
}

StageError current_error(ErrorCode fallback) {
    try {
        throw;
    } catch (const StageError & error) {
        return error;
    } catch (const std::bad_alloc &) {
        return StageError(ErrorCode::out_of_memory, "The machine has no memory left for what was asked; use a smaller "
                                                    "context, fewer sequences or fewer layers.");
    } catch (const std::exception & error) {
        return StageError(fallback, error.what());
    } catch (...) {
        return StageError(fallback, "Native code failed without saying why.");
    }
}

}  // namespace exo
