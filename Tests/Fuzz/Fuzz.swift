// fuzz TARGET [options of libFuzzer] [folders of inputs]: looks for inputs that do harm.
// fuzz TARGET --seeds FOLDER: writes the inputs to begin with.
// fuzz --list: names of the targets.

import FuzzTargets
import Glibc
import Synchronization

private let chosen = Mutex<FuzzTarget?>(nil)

private func fail(_ message: String) -> Never {
    let line = Array("fuzz: \(message)\n".utf8)
    _ = write(2, line, line.count)
    exit(2)
}

private func writeSeeds(_ target: FuzzTarget, to folder: String) {
    do {
        for (index, bytes) in try target.seeds().enumerated() {
            let path = "\(folder)/seed-\(index)"
            guard let file = fopen(path, "w"), fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0
            else { fail("\(path): \(String(cString: strerror(errno)))") }
        }
    } catch { fail("\(target): no seeds: \(error)") }
}

/// Takes our own arguments before libFuzzer, whose main function calls this, reads the rest.
@c(LLVMFuzzerInitialize)
public func initialize(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> Int32 {
    let words = (0..<Int(count.pointee)).map { arguments.pointee[$0].map { String(cString: $0) } ?? "" }
    if words.dropFirst().first == "--list" {
        for target in FuzzTarget.all { print(target) }
        exit(0)
    }
    guard words.count > 1, let target = FuzzTarget.named(words[1]) else {
        fail("wanted a target: \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    if words.count == 4, words[2] == "--seeds" {
        writeSeeds(target, to: words[3])
        exit(0)
    }
    // The target's place is taken by the program's name.
    arguments.pointee[1] = arguments.pointee[0]
    arguments.pointee += 1
    count.pointee -= 1
    chosen.withLock { $0 = target }
    return 0
}

@c(LLVMFuzzerTestOneInput)
public func test(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    chosen.withLock { $0 }?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
