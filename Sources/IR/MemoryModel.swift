// The order in which other processors see a guest's plain accesses, as far as translated code must keep to it.

/// What a guest's architecture promises of loads and stores without qualifiers. A pass that changes which accesses are made, or when,
/// obeys it.
public enum MemoryModel: CaseIterable, Sendable {
    /// RISC-V's RVWMO, and no less than ARM and POWER allow: accesses to different places are ordered by fences, acquires, releases,
    /// atomics and dependences alone; loads of the same bytes stay in order.
    case weak
    /// Total store order (x86, SPARC, s390): loads stay in order, stores stay in order, and a load comes before the stores behind it.
    /// A store may become visible after the loads behind it, except to its own processor.
    case tso
}
