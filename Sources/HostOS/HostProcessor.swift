// What the host's processor can do beyond its base instruction set.

import CLinux
import Glibc

public enum HostProcessor {
    /// The extensions that are asked about, by the bits of `clx_processor_features`.
    public static let names = ["AVX2", "FMA", "BMI1", "BMI2", "LZCNT", "MOVBE", "F16C", "PCLMULQDQ", "CMPXCHG16B"]

    /// Processors that this process may run on.
    public static var available: Int {
        let bytes = 128
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: bytes / 8) { mask in
            let written = kernel(SYS_sched_getaffinity, 0, bytes, Int(bitPattern: mask.baseAddress))
            return written > 0 ? max(1, mask.prefix(written / 8).reduce(0) { $0 + $1.nonzeroBitCount }) : 1
        }
    }

    /// Those of `required` that this processor lacks or the system has not enabled.
    public static func missing(of required: [String]) -> [String] {
        missing(of: required, features: clx_processor_features())
    }

    public static func missing(of required: [String], features: UInt32) -> [String] {
        required.filter { name in
            guard let bit = names.firstIndex(of: name) else { return true }
            return features &>> UInt32(bit) & 1 == 0
        }
    }
}
