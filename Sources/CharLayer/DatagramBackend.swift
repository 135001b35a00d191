// A back end on UDP. Datagrams that nobody takes are lost.

import EventLoop
import HostOS

public final class DatagramBackend: CharBackend, @unchecked Sendable {
    private static let largestDatagram = 65536
    /// Bytes that fit into one frame of any network.
    private static let share = 1024

    private let loop: EventLoop
    private let file: HostStream
    private var queue: OutputQueue!
    private var reader: Source!
    private var drain: BottomHalf!
    private var refill: BottomHalf!
    /// What of the last datagram has not been taken. The loop's thread's.
    private var waiting: ArraySlice<UInt8> = []

    public init(_ loop: EventLoop, remote: SocketAddress, local: SocketAddress?) throws(CharSpecError) {
        self.loop = loop
        let address = try remote.resolve(waits: false, datagrams: true)
        let own = try local?.resolve(waits: true, datagrams: true)
        do throws(Errno) {
            let fd = try HostSocket.open(address.family, datagrams: true)
            do throws(Errno) {
                if let own { try HostSocket.bind(fd, own) }
                _ = try HostSocket.connect(fd, address)
            } catch {
                HostFile.close(fd)
                throw error
            }
            file = HostStream(owning: fd)
        } catch { throw .cannotOpen(remote.named("udp"), reason: error.message) }
        super.init()
        queue = OutputQueue(loop) { [unowned self] in tellOutputHasRoom() }
        drain = BottomHalf(loop) { [weak self] in self?.write() }
        refill = BottomHalf(loop) { [weak self] in self?.passOn() }
        reader = loop.watch(file.descriptor, []) { [unowned self] _ in read() }
    }

    deinit {
        reader?.cancel()
        file.close()
    }

    public override func send(_ byte: UInt8) -> Bool { queue.append(byte, waking: drain) }

    /// The network takes all or loses it.
    private func write() {
        while queue.drain({ bytes in
            let part = bytes.prefix(Self.share)
            _ = try? file.write(UnsafeRawBufferPointer(rebasing: part))
            return part.count
        }) {}
    }

    public override func flush() { write() }
    public override func inputHasRoom() { refill.schedule() }

    private func passOn() {
        while case let room = min(inputRoom, waiting.count), room > 0 {
            let part = waiting.prefix(room)
            waiting = waiting.dropFirst(room)
            deliver(part)
        }
        reader.interest = waiting.isEmpty && inputRoom > 0 ? .readable : []
    }

    private func read() {
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.largestDatagram) { buffer, count in
            count = (try? file.read(into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
        }
        waiting = bytes[...]
        passOn()
    }
}
