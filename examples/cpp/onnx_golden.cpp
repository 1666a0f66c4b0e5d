// Runs the golden vectors of a model through ONNX Runtime, state tensors starting from their reset values.

#include KELLY_CONTRACT_HEADER

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace contract = kelly::KELLY_MODEL::contract;

static std::int64_t numbers(const std::int64_t* shape, int rank) {
    std::int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= shape[i];
    return count;
}

int main() {
    Ort::Env environment(ORT_LOGGING_LEVEL_ERROR);
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
#ifdef _WIN32
    const std::string file = KELLY_MODEL_FILE;
    Ort::Session session(environment, std::wstring(file.begin(), file.end()).c_str(), options);
#else
    Ort::Session session(environment, KELLY_MODEL_FILE, options);
#endif
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<std::string> examples;
    for (const auto& tensor : contract::golden_inputs)
        if (examples.empty() || examples.back() != tensor.example) examples.push_back(tensor.example);

    bool passed = true;
    for (const std::string& example : examples) {
        std::vector<const char*> taken, given;
        std::vector<Ort::Value> inputs;
        std::vector<std::vector<float>> states;
        std::int64_t batch = 1;
        for (const auto& tensor : contract::golden_inputs) {
            if (example != tensor.example) continue;
            const auto count = static_cast<std::size_t>(numbers(tensor.shape, tensor.rank));
            const auto rank = static_cast<std::size_t>(tensor.rank);
            void* data = const_cast<void*>(tensor.data);
            const bool integers = std::strcmp(tensor.dtype, "int64") == 0;
            inputs.push_back(integers ? Ort::Value::CreateTensor<std::int64_t>(
                                            memory, static_cast<std::int64_t*>(data), count, tensor.shape, rank)
                                      : Ort::Value::CreateTensor<float>(memory, static_cast<float*>(data), count,
                                                                        tensor.shape, rank));
            taken.push_back(tensor.name);
            batch = tensor.shape[0];
        }
        for (const auto& state : contract::state) {
            std::vector<std::int64_t> shape(state.shape, state.shape + state.rank);
            std::replace(shape.begin(), shape.end(), std::int64_t{-1}, batch);
            states.emplace_back(static_cast<std::size_t>(numbers(shape.data(), state.rank)), state.reset);
            inputs.push_back(Ort::Value::CreateTensor<float>(memory, states.back().data(), states.back().size(),
                                                             shape.data(), shape.size()));
            taken.push_back(state.name);
        }
        for (const auto& tensor : contract::outputs) given.push_back(tensor.name);
        const auto outputs =
            session.Run(Ort::RunOptions{}, taken.data(), inputs.data(), inputs.size(), given.data(), given.size());
        for (const auto& tensor : contract::golden_outputs) {
            if (example != tensor.example) continue;
            const auto at = std::find_if(given.begin(), given.end(),
                                         [&](const char* name) { return std::strcmp(name, tensor.name) == 0; });
            const float* answer = outputs[static_cast<std::size_t>(at - given.begin())].GetTensorData<float>();
            const float* right = static_cast<const float*>(tensor.data);
            float worst = 0.0f, largest = 10.0f;
            for (std::int64_t i = 0; i < numbers(tensor.shape, tensor.rank); ++i) {
                worst = std::max(worst, std::fabs(answer[i] - right[i]));
                largest = std::max(largest, std::fabs(right[i]));
            }
            const bool close = worst <= 1e-5f * largest;
            std::printf("%s, %s: %s, largest difference %.1e\n", tensor.example, tensor.name,
                        close ? "pass" : "FAIL", worst);
            passed = passed && close;
        }
    }
    return passed ? 0 : 1;
}
