// The folder of translations, for a guest that changes what paths lead to, and for the programs that it executes then.

import ExecutionEngine
import HostOS
import Synchronization

extension GuestProcess {
    /// Before the guest changes its root or its mounts.
    func keepStoreFolder() {
        engine.keepStoreFolder()
        noteStoreFolder()
    }

    /// What leads to the folder is put back as it was.
    func restoreStoreFolder(_ folder: KeptFolder?) {
        engine.storeFolder = folder
        noteStoreFolder()
    }

    func noteStoreFolder() { storeDescriptor.store(engine.storeFolder?.descriptor ?? -1, ordering: .relaxed) }
}

extension KeptFolder {
    /// What a program that is executed is told of it.
    var relaunchArguments: [String] {
        if isLost { return ["-accel", "tcg,cache=off"] }
        return descriptor < 0 ? [] : ["-store", "\(descriptor)"]
    }
}
