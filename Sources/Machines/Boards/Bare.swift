// `none`: harts and RAM. What runs there is loaded with `-device loader`, which says where the harts begin, too.

extension MachineDescription {
    public static let bare = MachineDescription(
        name: "none", summary: "harts and RAM, nothing else",
        hartLimit: 8, ramBase: 0, usualRAM: 128 << 20, timerFrequency: 10_000_000,
        model: "none", compatible: "none", reset: nil, widestPaging: 57, parts: [])
}
