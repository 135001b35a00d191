// A port that only the guest sees, and that leads to a character device: one connection after the other.

import CharLayer
import HostOS

final class GuestPort: CharFrontEnd {
    /// What the guest has sent, and the device had no room for. Beyond that it is lost: the library does not wait.
    private static let mostWaiting = 1 << 20

    private let backend: CharBackend
    private let room: () -> Int
    private let take: (UnsafePointer<UInt8>, Int) -> Void
    private var waiting: [UInt8] = []

    /// `room`: how much the guest's end of the connection takes now; none without a connection. `receive` hands it over.
    init(_ backend: CharBackend, room: @escaping () -> Int, receive: @escaping (UnsafePointer<UInt8>, Int) -> Void) {
        self.backend = backend
        self.room = room
        take = receive
    }

    /// From the guest.
    func send(_ bytes: UnsafeRawBufferPointer) {
        waiting += bytes.prefix(Self.mostWaiting - waiting.count)
        outputHasRoom()
    }

    /// The connection may take more than before.
    func mayHaveRoom() { backend.inputHasRoom() }

    // MARK: CharFrontEnd

    var inputRoom: Int { room() }

    func receive(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBufferPointer { if let first = $0.baseAddress { take(first, $0.count) } }
    }

    func receive(_ event: CharEvent) {}

    func outputHasRoom() {
        let sent = waiting.firstIndex { !backend.send($0) } ?? waiting.count
        waiting.removeFirst(sent)
    }
}
