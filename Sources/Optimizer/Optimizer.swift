// The optimizer: the passes over a region, in order.

import IR

public enum Optimizer {
    /// Runs every pass that is not disabled by name.
    public static func run(_ region: Region, disabled: Set<String> = []) {}
}
