// execve(2) by the host kernel: the words that it takes, and the call.

import CLinux
import Glibc

/// A program that takes this process's place. Addresses lead to memory that somebody else owns.
public struct HostExecution: BitwiseCopyable {
    /// The file, where it is executed by its descriptor; -1: by its path.
    public var file: Int32 = -1
    /// Descriptors that the program gets besides; -1 for none.
    public var kept: InlineArray<2, Int32> = [-1, -1]
    /// A C string, empty where the file is executed by its descriptor, and vectors of C strings, which end with 0.
    public var path: Int, arguments: Int, environment: Int
    /// The signals that the program inherits as blocked, and those of `HostSignals.ownSignals` that it inherits as ignored.
    public var mask: UInt64, ignored: UInt64
    /// A signal that sets it comes before the program: `safeSystemCall`.
    public var flag: UnsafeMutablePointer<UInt32>

    public init(
        path: Int, arguments: Int, environment: Int, mask: UInt64, ignored: UInt64,
        flag: UnsafeMutablePointer<UInt32>
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.mask = mask
        self.ignored = ignored
        self.flag = flag
    }

    /// Executes the program. Returns only on failure, with `safeSystemCall`'s result. Holds nothing: the memory may be another process's too.
    public func perform() -> Int {
        HostSignals.execute(mask: mask, ignored: ignored) {
            stayOpen(true)
            defer { stayOpen(false) }
            if file < 0 { return safeSystemCall(flag, Int32(SYS_execve), path, arguments, environment) }
            let emptyPath = 0x1000  // AT_EMPTY_PATH
            return safeSystemCall(
                flag, Int32(SYS_execveat), Int(file), path, arguments, environment, emptyPath)
        }
    }

    private func stayOpen(_ isOn: Bool) {
        if file >= 0 { HostFile.setClosesOnExec(file, !isOn) }
        for i in kept.indices where kept[i] >= 0 { HostFile.setClosesOnExec(kept[i], !isOn) }
    }
}

extension HostProcess {
    /// Runs another program in this process's place, in the same environment. Returns only where that is not possible.
    public static func replace(by path: String, _ arguments: [[UInt8]]) throws(Errno) {
        func vector(_ words: [[UInt8]]) -> UnsafeMutablePointer<Int> {
            let pointers = UnsafeMutablePointer<Int>.allocate(capacity: words.count + 1)
            for (i, word) in words.enumerated() {
                let text = UnsafeMutablePointer<UInt8>.allocate(capacity: word.count + 1)
                for (j, byte) in word.enumerated() { text[j] = byte }
                text[word.count] = 0
                pointers[i] = Int(bitPattern: text)
            }
            pointers[words.count] = 0
            return pointers
        }
        let words = vector(arguments), variables = vector(environment)
        _ = try Errno.check(
            withPath(path) { kernel(SYS_execve, $0, Int(bitPattern: words), Int(bitPattern: variables)) })
    }
}
