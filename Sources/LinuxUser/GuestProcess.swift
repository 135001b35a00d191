// A user-mode guest process: what its threads share.

import Diagnostics
import ExecutionEngine
import GuestKit
import HostOS
import LinuxABI
import LinuxMemory
import Profiling
import Synchronization

/// A guest process. There is one per host process; threads of the guest are threads of the host.
public final class GuestProcess: @unchecked Sendable {
    public let options: UserModeOptions
    public let memory: UserAddressSpace
    public let engine: Engine
    public let architecture: any GuestArchitecture
    public let guest: LinuxGuestABI
    public let registers: GuestRegisters
    let signalInfo: SignalInfoConversion
    let contents: ContentConversions
    let adaptsArguments: Bool
    /// What certain descriptors give is not what the guest expects: `DescriptorData`.
    let convertsData: Bool
    public let diagnostics: Diagnostics

    /// The -L prefix without a trailing slash; nil when not given.
    public let prefix: String?
    /// Host path of the running program, absolute: what /proc/self/exe leads to.
    public let executablePath: String
    /// The prefix as the host kernel names files below it, for `guestPath`.
    private let realPrefix: String?
    /// The folder of translations is open here; -1: it is not.
    let storeDescriptor = Atomic<Int32>(-1)
    public internal(set) var auxiliaryVector: [UInt64] = []
    /// As the guest has it in memory.
    var auxiliaryVectorBytes: [UInt8] { guest.words.bytes(auxiliaryVector) }
    /// Where the guest's memory has what it was started with.
    var argumentStrings: Range<UInt64> = 0..<0, environmentStrings: Range<UInt64> = 0..<0
    /// The kernel knows where they are: set before guest code runs.
    var isShownByKernel = false
    let procDescriptors = ProcDescriptors()
    public internal(set) var image: LoadedProgram

    /// Guards everything below that more than one thread changes.
    let lock = Lock()
    var breakStart: UInt64 = 0, breakEnd: UInt64 = 0  // the heap: [start, end); guarded by `lock`
    var actions: [SignalAction]  // index = signal number; guarded by `lock`
    /// The host records all signals, since another process shares `actions` and changes them. Never unset. Guarded by `lock`.
    var recordsAll = false
    var threads: [GuestThread] = []  // those that have not ended; guarded by `lock`
    /// The thread that has stopped all others for good; 0: none.
    let stopper = Atomic<Int32>(0)
    /// Signals for the process that no thread takes yet (`PendingSignals`). Never freed: signal handlers use it.
    let pendingSignals: UnsafeMutablePointer<PendingSignals>
    var leaderStatus: Int32 = 0  // exit status of the first thread; guarded by `lock`
    var sealed = SealedMemory()  // guarded by `lock`
    /// Something of it is sealed. Never unset: nearly all processes need no look at the rest.
    let hasSeals = Atomic<Bool>(false)
    var denyWriteExecute = DenyWriteExecute()  // set by a program before it makes threads
    var signalTrampoline: UInt64 = 0  // set before guest code runs
    /// The guest has opened a folder that may be one of `ProcFolders`. Never unset.
    var listsProc = false
    let resolver: ProgramResolver
    let profile: Profile?
    /// The application's last words before the process ends.
    let willExit: () -> Void

    init(
        options: UserModeOptions, memory: UserAddressSpace, engine: Engine, architecture: any GuestArchitecture,
        guest: LinuxGuestABI, registers: GuestRegisters, executablePath: String, image: LoadedProgram,
        resolver: ProgramResolver, profile: Profile? = nil, willExit: @escaping () -> Void
    ) {
        self.resolver = resolver
        self.profile = profile
        self.willExit = willExit
        self.options = options
        self.memory = memory
        self.engine = engine
        self.architecture = architecture
        self.guest = guest
        self.registers = registers
        signalInfo = SignalInfoConversion(guest.table)
        contents = ContentConversions(guest.table)
        adaptsArguments = guest.adaptsArguments
        convertsData = guest.words.order != LinuxTable.host.order || !guest.table.hasHostSignals
        self.executablePath = executablePath
        self.image = image
        diagnostics = options.diagnostics
        prefix = options.prefix
        realPrefix = options.prefix.flatMap { HostFile.realPath($0) }
        actions = .init(repeating: SignalAction(), count: 65)
        pendingSignals = .allocate(capacity: 1)
        pendingSignals.initialize(to: PendingSignals())
    }

    /// How the kernel's names of files below the prefix begin, up to the slash that the guest's name begins with.
    var hiddenPrefix: [UInt8] { realPrefix.map { $0 == "/" ? [] : Array($0.utf8) } ?? [] }

    /// The guest's name for a host path: without the prefix for files below it.
    func guestPath(_ host: String) -> String {
        for prefix in [realPrefix, prefix] {
            guard let prefix, prefix.utf8.count > 1, host.utf8.count > prefix.utf8.count, host.hasPrefix(prefix + "/")
            else { continue }
            return String(host.dropFirst(prefix.count))
        }
        return host
    }
}
