// What the host's processor can do beyond its base instruction set.

import CLinux

public enum HostProcessor {
    /// The extensions that are asked about, by the bits of `clx_processor_features`.
    public static let names = ["AVX2", "FMA", "BMI1", "BMI2", "LZCNT", "MOVBE", "F16C", "PCLMULQDQ", "CMPXCHG16B"]

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
