// Compares cuts of a model with the whole model.
//
//   stage_matrix reference MODEL FILE          runs the whole model and writes its logits
//   stage_matrix check MODEL FILE CUT...       runs each cut and prints one JSON line per cut and program
//
// `reference` uses nothing of ours, so it can run against the untouched prebuilt libllama.

#include "ring.h"

#include "ggml-backend.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace archs;

namespace {

struct reference {
    int32_t                         n_layer = 0;
    int32_t                         n_vocab = 0;
    uint64_t                        size    = 0;
    std::vector<std::vector<float>> logits; // by step, over all programs
};

std::vector<program> programs(int32_t n_vocab) {
    return {single_sequence(n_vocab), several_sequences(n_vocab)};
}

template <typename T>
void put(std::ostream & out, const T * data, size_t n) {
    out.write(reinterpret_cast<const char *>(data), (std::streamsize) (n*sizeof(T)));
}

template <typename T>
void get(std::istream & in, T * data, size_t n) {
    in.read(reinterpret_cast<char *>(data), (std::streamsize) (n*sizeof(T)));
    if (!in) {
        throw std::runtime_error("the reference file is short");
    }
}

void write_reference(const std::string & model, const std::string & path) {
    std::ofstream out(path, std::ios::binary);
    int32_t n_vocab = 0;
    {
        const ring whole(model, {}, single_sequence(1));
        n_vocab = whole.n_vocab();
        const int32_t  shape[] = {whole.n_layer(), n_vocab};
        const uint64_t size    = whole.size();
        put(out, shape, 2);
        put(out, &size, 1);
    }
    for (const program & p : programs(n_vocab)) {
        ring whole(model, {}, p);
        for (const step & rows : p.steps) {
            const std::vector<float> logits = whole.decode_all(rows);
            const uint64_t n = logits.size();
            put(out, &n, 1);
            put(out, logits.data(), logits.size());
        }
    }
}

reference read_reference(const std::string & path) {
    std::ifstream in(path, std::ios::binary);
    reference res;
    int32_t shape[2];
    get(in, shape, 2);
    get(in, &res.size, 1);
    res.n_layer = shape[0];
    res.n_vocab = shape[1];
    for (const program & p : programs(res.n_vocab)) {
        for (size_t i = 0; i < p.steps.size(); ++i) {
            uint64_t n = 0;
            get(in, &n, 1);
            std::vector<float> logits(n);
            get(in, logits.data(), n);
            res.logits.push_back(std::move(logits));
        }
    }
    return res;
}

// K stages of about equal length; with `back`, the last one gives hidden states to a stage that is the output head alone.
std::vector<range> equal_cut(int32_t n_layer, int32_t n_stage, bool back) {
    const int32_t k = std::min(n_layer, n_stage);
    std::vector<range> res;
    for (int32_t i = 0; i < k; ++i) {
        res.push_back({n_layer*i/k, n_layer*(i + 1)/k, i == k - 1 && !back});
    }
    if (back) {
        res.push_back({n_layer, n_layer, true});
    }
    return res;
}

// "at 2 4": cut before these layers.
std::vector<range> cut_at(const std::string & boundaries, int32_t n_layer, bool back) {
    std::istringstream in(boundaries);
    std::vector<range> res{{0, n_layer, false}};
    for (int32_t il = 0; in >> il;) {
        res.back().end = il;
        res.push_back({il, n_layer, false});
    }
    res.back().output = !back;
    if (back) {
        res.push_back({n_layer, n_layer, true});
    }
    return res;
}

// "whole"; "2", "3": so many stages; "layers": one stage per layer; "at 2 4": cut before these layers. "+head": the last
// stage gives hidden states to a stage that is the output head alone; "+head all": it gives those of all rows.
division parse_cut(const std::string & cut, int32_t n_layer) {
    const size_t      plus = cut.find("+head");
    const bool        back = plus != std::string::npos;
    const bool        all  = back && cut.substr(plus) == "+head all";
    const std::string name = cut.substr(0, plus);
    if (name == "whole") {
        return {};
    }
    if (name.rfind("at ", 0) == 0) {
        return {cut_at(name.substr(3), n_layer, back), all};
    }
    const int32_t n_stage = name == "layers" ? n_layer : atoi(name.c_str());
    if (n_stage < 1) {
        throw std::runtime_error("unknown cut " + cut);
    }
    return {equal_cut(n_layer, n_stage, back), all};
}

struct error_sum {
    double difference = 0;
    double reference  = 0;

    void add(const std::vector<float> & expected, const std::vector<float> & found) {
        if (expected.size() != found.size()) {
            throw std::runtime_error("expected " + std::to_string(expected.size()) + " logits, found " + std::to_string(found.size()));
        }
        for (size_t i = 0; i < expected.size(); ++i) {
            const double d = (double) expected[i] - found[i];
            difference += d*d;
            reference  += (double) expected[i]*expected[i];
        }
    }

    // Normalized mean squared error; NaN when anything was not finite.
    double value() const {
        return difference == 0 ? 0 : difference/reference;
    }
};

std::string json_text(const std::string & text) {
    std::string res = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            res += '\\';
        }
        res += (unsigned char) c < 0x20 ? ' ' : c;
    }
    return res + "\"";
}

std::string json_number(double value) {
    char text[32];
    snprintf(text, sizeof(text), "%.3e", value);
    return std::isfinite(value) ? text : "null";
}

std::string run_cut(const std::string & model, const reference & ref, const std::string & cut, const program & p, size_t first_step) {
    try {
        ring      split(model, parse_cut(cut, ref.n_layer), p);
        error_sum prefill;
        error_sum decode;
        for (size_t i = 0; i < p.steps.size(); ++i) {
            (i == 0 ? prefill : decode).add(ref.logits.at(first_step + i), split.decode(p.steps[i]));
        }
        return "\"prefill\":" + json_number(prefill.value()) + ",\"decode\":" + json_number(decode.value()) +
            ",\"size_ratio\":" + json_number((double) split.size()/ref.size);
    } catch (const refused & e) {
        return "\"refused\":" + json_text(e.what());
    } catch (const std::exception & e) {
        return "\"failed\":" + json_text(e.what());
    }
}

void check(const std::string & model, const std::string & path, int n_cut, char ** cuts) {
    const reference ref = read_reference(path);
    for (int i = 0; i < n_cut; ++i) {
        size_t first_step = 0;
        for (const program & p : programs(ref.n_vocab)) {
            const std::string result = run_cut(model, ref, cuts[i], p, first_step);
            first_step += p.steps.size();
            std::cout << "{\"cut\":" << json_text(cuts[i]) << ",\"program\":" << json_text(p.name)
                      << ",\"n_layer\":" << ref.n_layer << "," << result << "}" << std::endl;
        }
    }
}

} // namespace

int main(int argc, char ** argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: stage_matrix reference MODEL FILE | stage_matrix check MODEL FILE CUT...\n");
        return 2;
    }
    collect_errors();
    const char * backends = getenv("EXO_BACKEND_DIR");
    if (backends) {
        ggml_backend_load_all_from_path(backends);
    }
    llama_backend_init();
    try {
        if (strcmp(argv[1], "reference") == 0) {
            write_reference(argv[2], argv[3]);
        } else {
            check(argv[2], argv[3], argc - 4, argv + 4);
        }
        return 0;
    } catch (const std::exception & e) {
        fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
