// User networking: libslirp makes connections of the host's of what the guest sends. It lives in the loop, with the card's lock held.

import CSlirp
import CharLayer
import EventLoop
import HostOS

public final class UserNetwork: NetBackend, PollHook, @unchecked Sendable {
    private let spec: UserNetworkSpec
    private var functions = clx_slirp()
    private var slirp: OpaquePointer?
    private var loop: EventLoop?
    private var lock: Lock?
    // Of the turn that is under way.
    private var set = PollSet()

    /// Opens what forwards of the guest's lead to; nil: nothing is there.
    public typealias Opener = (CharSpec, _ label: String) throws(CharSpecError) -> CharBackend?
    private let opener: Opener
    private var ports: [GuestPort] = []

    /// Opens the library.
    public init(
        name: String, _ spec: UserNetworkSpec, opener: @escaping Opener = { _, _ in nil }
    ) throws(NetError) {
        try spec.check()
        self.spec = spec
        self.opener = opener
        switch clx_slirp_open(&functions) {
        case 0: break
        case -1:
            throw NetError("user: it needs libslirp.so.0, which is not installed (Debian: libslirp0)")
        default:
            throw NetError("user: libslirp.so.0 is too old; wanted 4.7 or later")
        }
        super.init(name: name)
    }

    /// Forwards' ports are taken here. What is wrong comes as a refusal.
    public override func start(_ loop: EventLoop, under lock: Lock) throws(NetError) {
        self.loop = loop
        self.lock = lock
        lock.withLock { makeSlirp() }
        guard let slirp else {
            throw NetError("user: libslirp cannot be started with these")
        }
        for forward in spec.forwards { try lock.withLock { () throws(NetError) in try add(forward) } }
        for forward in spec.guestForwards {
            let isTaken: Bool
            switch forward.target {
            case .command(let command):
                var address = Self.address(forward.address)
                isTaken = lock.withLock { functions.add_exec(slirp, command, &address, Int32(forward.port)) == 0 }
            case .device(let device):
                isTaken = try add(forward, slirp, try open(device, forward), under: lock)
            }
            if !isTaken { throw NetError("guestfwd: \(forward.address):\(forward.port) cannot be taken") }
        }
        loop.add(self)
    }

    private func open(_ device: CharSpec, _ forward: GuestForward) throws(NetError) -> CharBackend {
        do throws(CharSpecError) {
            return try opener(device, "guestfwd.tcp.\(forward.port)") ?? CharBackend()
        } catch { throw NetError("guestfwd: \(error)") }
    }

    private func add(
        _ forward: GuestForward, _ slirp: OpaquePointer, _ backend: CharBackend, under lock: Lock
    ) throws(NetError) -> Bool {
        let address = Self.address(forward.address), number = Int32(forward.port)
        let port = GuestPort(
            backend, room: { [functions] in functions.guestfwd_room(slirp, address, number) },
            receive: { [functions] in functions.guestfwd_receive(slirp, address, number, $0, Int32($1)) })
        var place = address
        let status = lock.withLock {
            functions.add_guestfwd(
                slirp,
                { bytes, count, opaque in
                    let port = Unmanaged<GuestPort>.fromOpaque(opaque!).takeUnretainedValue()
                    port.send(UnsafeRawBufferPointer(start: bytes, count: count))
                    return count
                }, Unmanaged.passUnretained(port).toOpaque(), &place, number)
        }
        backend.attach(port, under: lock)
        ports.append(port)
        return status == 0
    }

    /// With the lock held, as what follows.
    public func add(_ forward: PortForward) throws(NetError) {
        let status = functions.add_hostfwd(
            slirp, forward.isUDP ? 1 : 0, Self.address(forward.hostAddress ?? IPv4(0)), Int32(forward.hostPort),
            Self.address(forward.guestAddress ?? spec.dhcpAddress), Int32(forward.guestPort))
        if status != 0 { throw NetError("hostfwd: port \(forward.hostPort) of the host's cannot be taken") }
    }

    public func remove(_ port: ForwardedPort) throws(NetError) {
        let address = Self.address(port.address ?? IPv4(0))
        if functions.remove_hostfwd(slirp, port.isUDP ? 1 : 0, address, Int32(port.number)) != 0 {
            throw NetError("port \(port.number) of the host's is not forwarded")
        }
    }

    /// A line for each connection, as the library says it.
    public var connections: String {
        guard let slirp, let text = functions.connections(slirp) else { return "" }
        defer { clx_free(text) }
        return String(cString: text)
    }

    public override func stop() {
        loop?.remove(self)
        ports = []
        if let slirp { functions.cleanup(slirp) }
        slirp = nil
    }

    private static func address(_ address: IPv4) -> in_addr { in_addr(s_addr: address.value.bigEndian) }
    /// fec0::NUMBER
    private static func address6(_ number: UInt8) -> in6_addr {
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) {
            $0[0] = 0xfe
            $0[1] = 0xc0
            $0[15] = number
        }
        return address
    }

    private func makeSlirp() {
        var config = SlirpConfig()
        config.version = 4
        config.restricted = spec.isRestricted ? 1 : 0
        config.in_enabled = spec.hasIPv4
        config.vnetwork = Self.address(spec.network.address)
        config.vnetmask = Self.address(spec.network.mask)
        config.vhost = Self.address(spec.hostAddress)
        config.vdhcp_start = Self.address(spec.dhcpAddress)
        config.vnameserver = Self.address(spec.dnsAddress)
        config.in6_enabled = spec.hasIPv6
        config.vprefix_addr6 = Self.address6(0)
        config.vprefix_len = 64
        config.vhost6 = Self.address6(2)
        config.vnameserver6 = Self.address6(3)
        var strings: [UnsafeMutablePointer<CChar>] = []
        func text(_ value: String?) -> UnsafePointer<CChar>? {
            guard let value else { return nil }
            let bytes = value.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            for (index, byte) in bytes.enumerated() { (copy + index).initialize(to: byte) }
            strings.append(copy)
            return UnsafePointer(copy)
        }
        // The library keeps copies, except of the search list and the callbacks, which it keeps for good.
        config.vhostname = text(spec.hostname)
        config.vdomainname = text(spec.domain)
        config.tftp_server_name = text(spec.tftpServer)
        config.tftp_path = text(spec.tftpFolder)
        config.bootfile = text(spec.bootFile)
        if !spec.searchDomains.isEmpty {
            let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: spec.searchDomains.count + 1)
            for (index, name) in spec.searchDomains.enumerated() { (list + index).initialize(to: text(name)) }
            (list + spec.searchDomains.count).initialize(to: nil)
            config.vdnssearch = list
        }
        slirp = functions.make(&config, Self.callbacks, Unmanaged.passUnretained(self).toOpaque())
    }

    private static func of(_ opaque: UnsafeMutableRawPointer?) -> UserNetwork {
        Unmanaged<UserNetwork>.fromOpaque(opaque!).takeUnretainedValue()
    }

    /// The library calls these with the lock held: it runs only while one of the functions below does.
    nonisolated(unsafe) private static let callbacks: UnsafePointer<SlirpCb> = {
        let callbacks = UnsafeMutablePointer<SlirpCb>.allocate(capacity: 1)
        callbacks.initialize(to: SlirpCb())
        callbacks.pointee.send_packet = { bytes, count, opaque in
            UserNetwork.of(opaque).deliver(UnsafeRawBufferPointer(start: bytes, count: count))
            return count
        }
        callbacks.pointee.guest_error = { _, _ in }
        callbacks.pointee.clock_get_ns = { Int64(bitPattern: UserNetwork.of($0).loop!.clocks.now(.virtual)) }
        callbacks.pointee.timer_new = { action, argument, opaque in
            let network = UserNetwork.of(opaque)
            let timer = network.loop!.timer(.virtual, under: network.lock) { action?(argument) }
            return Unmanaged.passRetained(timer).toOpaque()
        }
        callbacks.pointee.timer_new_opaque = { id, argument, opaque in
            let network = UserNetwork.of(opaque)
            let timer = network.loop!.timer(.virtual, under: network.lock) {
                network.functions.handle_timer(network.slirp, id, argument)
            }
            return Unmanaged.passRetained(timer).toOpaque()
        }
        callbacks.pointee.timer_mod = { timer, milliseconds, _ in
            Unmanaged<Timer>.fromOpaque(timer!).takeUnretainedValue().arm(at: UInt64(max(0, milliseconds)) &* 1_000_000)
        }
        callbacks.pointee.timer_free = { timer, _ in
            let timer = Unmanaged<Timer>.fromOpaque(timer!).takeRetainedValue()
            timer.disarm()
        }
        callbacks.pointee.register_poll_fd = { _, _ in }
        callbacks.pointee.unregister_poll_fd = { _, _ in }
        callbacks.pointee.notify = { UserNetwork.of($0).loop!.wake() }
        return UnsafePointer(callbacks)
    }()

    // MARK: frames

    public override var summary: String {
        "type=user,net=\(spec.network.address),restrict=\(spec.isRestricted ? "on" : "off")"
    }

    /// The library makes a stream of segments, however long they are.
    public override var takesLongSegments: Bool { true }

    public override func send(_ frame: UnsafeRawBufferPointer) {
        guard let slirp, let bytes = frame.baseAddress else { return }
        functions.input(slirp, bytes.assumingMemoryBound(to: UInt8.self), Int32(frame.count))
    }

    /// What it waits for may be something else now.
    public override func hasSent() {
        for port in ports { port.mayHaveRoom() }
        loop?.wake()
    }

    // MARK: the loop

    private static let waits: [(theirs: Int, ours: PollEvents)] = [
        (SLIRP_POLL_IN, .readable), (SLIRP_POLL_OUT, .writable), (SLIRP_POLL_PRI, .urgent), (SLIRP_POLL_ERR, .error),
        (SLIRP_POLL_HUP, .hangUp),
    ]

    public func fill(_ set: inout PollSet, _ limit: inout UInt64?) {
        guard let slirp, let lock else { return }
        lock.lock()
        defer { lock.unlock() }
        self.set = set
        var milliseconds = limit.map { UInt32(clamping: $0 / 1_000_000) } ?? .max
        functions.fill(
            slirp, &milliseconds,
            { descriptor, events, opaque in
                let network = UserNetwork.of(opaque)
                var wanted: PollEvents = []
                for row in UserNetwork.waits where Int(events) & row.theirs != 0 { wanted.formUnion(row.ours) }
                return Int32(network.set.add(descriptor, wanted))
            }, Unmanaged.passUnretained(self).toOpaque())
        set = self.set
        if milliseconds != .max { limit = min(limit ?? .max, UInt64(milliseconds) * 1_000_000) }
    }

    public func dispatch(_ set: PollSet) {
        guard let slirp, let lock else { return }
        lock.lock()
        defer { lock.unlock() }
        self.set = set
        functions.poll(
            slirp, 0,
            { index, opaque in
                let found = UserNetwork.of(opaque).set.found(Int(index))
                return Int32(
                    UserNetwork.waits.reduce(0) { found.isDisjoint(with: $1.ours) ? $0 : $0 | $1.theirs })
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
