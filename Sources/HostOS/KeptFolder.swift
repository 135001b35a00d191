/// How a folder of Martlet's own is found where paths may lead elsewhere than at the start.
public struct KeptFolder: Sendable {
    /// The folder is open here, only to be named; -1: it is found by its path.
    public var descriptor: Int32 = -1
    /// Nothing leads there any more: nothing is read or written.
    public var isLost = false

    /// `descriptor`: one that another Martlet has handed over, or -1.
    public init(descriptor: Int32 = -1) {
        self.descriptor = descriptor
        if descriptor >= 0 { HostFile.closeOnExec(descriptor) }
    }
}
