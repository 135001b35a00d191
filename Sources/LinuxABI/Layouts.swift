// Sizes of structures that have the same fields at the same places in every ABI.

/// In bytes.
public enum StructSize {
    public static let statx = 256, utsname = 390
}
