// Values of options that several programs have.

import Options

/// The size of a code cache, in bytes.
public func parseCacheSize(_ text: String) throws(OptionError) -> Int {
    guard let size = parseSize(text, unit: 1 << 20), size > 0 else {
        throw OptionError("wanted a size in MiB, or with a suffix such as 512K")
    }
    guard size >= 64 << 10 else { throw OptionError("too small: the code cache wants at least 64K") }
    guard size <= 1 << 30 else { throw OptionError("too large: the code cache may have at most 1G") }
    return Int(size)
}
