// Runs the golden vectors of the contract through Core ML; ends with 1 on a difference.
//
//     swift run Golden models/emotionrecognizer.mlpackage models/emotionrecognizer.contract.json

import Foundation

struct Golden: Decodable {
    struct Vector: Decodable {
        let name: String
        let inputs: [String: [[[[Float]]]]]
        let outputs: [String: [[Float]]]
    }
    let golden: [Vector]
}

guard CommandLine.arguments.count == 3 else {
    FileHandle.standardError.write(Data("usage: Golden MODEL.mlpackage CONTRACT.json\n".utf8))
    exit(2)
}
let model = try EmotionrecognizerModel(
    contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
let contract = try JSONDecoder().decode(
    Golden.self, from: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2])))

var worst: Float = 0
for vector in contract.golden {
    for (mel, expected) in zip(vector.inputs["input"]!, vector.outputs["output"]!) {
        let frames = mel[0][0].count
        let given = try model.predict(input: mel.flatMap { $0 }.flatMap { $0 }, frames: frames)
        let best = expected.indices.max { expected[$0] < expected[$1] }!
        if given.label != EmotionrecognizerContract.labels[best] {
            print("\(vector.name): \(given.label) instead of \(EmotionrecognizerContract.labels[best])")
            exit(1)
        }
        for (one, other) in zip(given.output, expected) {
            worst = max(worst, abs(one - other))
        }
    }
}
print("golden vectors: largest difference \(worst)")
exit(worst < 1e-3 ? 0 : 1)
