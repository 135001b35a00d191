// Another back end, of which a file keeps what is said.

final class LogBackend: CharBackend, @unchecked Sendable {
    let backend: CharBackend
    private let log: CharBackend

    init(_ backend: CharBackend, log: CharBackend) {
        self.backend = backend
        self.log = log
        super.init()
        backend.attach(self)
    }

    override func send(_ byte: UInt8) -> Bool {
        guard backend.send(byte) else { return false }
        _ = log.send(byte)
        return true
    }

    override var isOpen: Bool { backend.isOpen }
    override func inputHasRoom() { backend.inputHasRoom() }
}

extension LogBackend: CharFrontEnd {
    func receive(_ bytes: ArraySlice<UInt8>) { deliver(bytes) }
    func receive(_ event: CharEvent) { deliver(event) }
    func outputHasRoom() { tellOutputHasRoom() }
}
