// Checking translations while they are made: the region is well formed after the front end and after every pass, and the allocation,
// run on symbols, keeps every value (`AllocationChecker`). A translation that fails ends the process: no wrong code is run.
//
// What is well formed may still be wrong. That is for the tests that compare with the interpreter.

import HostOS
import Optimizer

/// Which translations are verified.
public enum Verification: Sendable, Equatable {
    case none
    /// One in this many, at least 1.
    case oneIn(UInt32)

    public static let all = Verification.oneIn(1)

    /// A sample in debug builds: verifying each translation takes several times as long as making it.
    public static var standard: Verification {
        #if DEBUG
            .oneIn(64)
        #else
            .none
        #endif
    }

    /// `all`, `none` or a number.
    public init?(parsing text: String) {
        switch text {
        case "all": self = .all
        case "none": self = .none
        default:
            guard let count = UInt32(text), count > 0 else { return nil }
            self = .oneIn(count)
        }
    }
}

/// Takes the sample: the first translation and each n-th after it. Nothing else counts with this counter.
struct VerificationSampler {
    private let interval: UInt32
    private var left: UInt32 = 0

    init(_ verification: Verification) {
        interval = if case .oneIn(let count) = verification { max(count, 1) } else { 0 }
    }

    /// Is the next translation to be verified?
    mutating func next() -> Bool {
        if interval == 0 { return false }
        if left == 0 {
            left = interval - 1
            return true
        }
        left -= 1
        return false
    }
}

/// What makes a translation, step by step; each step's result can be checked.
enum TranslationStage: Equatable, CustomStringConvertible {
    case frontEnd
    case pass(Pass)
    case allocator

    var description: String {
        switch self {
        case .frontEnd: "front end"
        case .pass(let pass): "optimizer pass \(pass.rawValue)"
        case .allocator: "register allocator"
        }
    }
}

/// What is wrong with a translation, and who did it.
struct VerificationFailure: CustomStringConvertible {
    var stage: TranslationStage
    var pc: UInt64
    var problems: [String]
    /// The region as IR text.
    var region: String

    var description: String {
        "martlet: wrong translation of 0x\(String(pc, radix: 16)): \(stage): \(problems.joined(separator: "; "))\n\(region)\n"
    }

    /// `EX_SOFTWARE` of sysexits.h.
    static let exitStatus: Int32 = 70

    func endProcess() -> Never {
        writeStandardError(description)
        HostProcess.exitGroup(Self.exitStatus)
    }
}
