// The files of a boot, read and checked, before anything has its place.

import DeviceTree

struct BootImages {
    private let width: HartWidth
    /// At its final addresses.
    var firmware: GuestImage?
    private var firmwareName = ""
    /// An ELF file's addresses are final; other kernels begin at 0.
    var kernel: GuestImage?
    private var kernelName = ""
    var initrd: ImageFile?
    var handed: HandedKernel?
    private let tree: FlatTree
    private let arguments: String?
    private var treeSize: UInt64 = 0
    /// At their final addresses.
    private var loaded: [(what: String, image: GuestImage)] = []
    var starts: [Int: UInt64] = [:]

    init(_ machine: MachineDescription, _ shape: MachineShape, _ request: BootRequest) throws(MachineError) {
        width = shape.hart.width
        arguments = request.arguments
        if request.kernel == nil {
            if request.initrd != nil { throw MachineError("-initrd: it is for a kernel: name that with -kernel") }
            if request.arguments != nil { throw MachineError("-append: it is for a kernel: name that with -kernel") }
        }
        let limit = shape.ramSize
        if machine.reset == nil {
            if request.kernel != nil {
                throw MachineError("-kernel: machine \(machine.name) boots nothing: use -device loader,file=,cpu-num=0")
            }
        } else if let path = try request.firmware.path(width, searching: request.firmwareFiles) {
            firmware = try Self.firmware(path, machine, shape)
            firmwareName = "firmware \(path)"
        }
        if request.startsInFlash, request.firmware != .none {
            handed = try Self.handed(request, limit: limit)
        } else if let path = request.kernel {
            kernel = try GuestImage(ImageFile(path, role: "kernel", limit: limit), width: width, limit: limit)
            kernelName = "kernel \(path)"
        }
        if handed == nil, let path = request.initrd {
            initrd = try ImageFile(path, role: "initrd", limit: limit)
        }
        tree = try Self.tree(machine, shape, request)
        for loader in request.loaders { try add(loader, shape) }
        if hostWords != nil { tree.root.child("htif")?["reg"] = nil }
        // Without a reset ROM nobody is told of it.
        if machine.reset != nil { treeSize = UInt64(try flattenedTree(initrd: 0).count) }
    }

    /// Firmware in flash memory decides where a kernel goes.
    private static func handed(_ request: BootRequest, limit: UInt64) throws(MachineError) -> HandedKernel? {
        guard let path = request.kernel else { return nil }
        let kernel = try ImageFile(path, role: "kernel", limit: limit).bytes
        var initrd: [UInt8]?
        if let path = request.initrd { initrd = try ImageFile(path, role: "initrd", limit: limit).bytes }
        return HandedKernel(kernel: kernel, initrd: initrd, arguments: request.arguments)
    }

    /// A raw file goes to RAM's base. So does an ELF file that is linked outside of RAM as a whole: such firmware runs anywhere.
    private static func firmware(_ path: String, _ machine: MachineDescription, _ shape: MachineShape)
        throws(MachineError) -> GuestImage
    {
        let file = try ImageFile(path, role: "firmware", limit: shape.ramSize)
        let image = try GuestImage(file, width: shape.hart.width, limit: shape.ramSize)
        guard image.format == .elf else { return image.moved(to: machine.ramBase) }
        let ram = Placement(ramBase: machine.ramBase, ramSize: shape.ramSize)
        if image.pieces.contains(where: { ram.contains($0.address, 1) }) { return image }
        // A span that would wrap is left where it is, and refused with its address.
        let isSmall = image.end - image.start <= shape.ramSize
        return isSmall ? image.moved(to: machine.ramBase) : image
    }

    private static func tree(_ machine: MachineDescription, _ shape: MachineShape, _ request: BootRequest)
        throws(MachineError) -> FlatTree
    {
        guard let path = request.tree else {
            var tree = FlatTree(root: machine.deviceTree(for: shape))
            tree.bootHart = 0
            return tree
        }
        let file = try ImageFile(path, role: "dtb", limit: UInt64(FlatTree.sizeLimit))
        do throws(DeviceTreeError) {
            let tree = try FlatTree(blob: file.bytes)
            try tree.root.setMemory(start: machine.ramBase, size: shape.ramSize)
            return tree
        } catch { throw file.refuse("is no sound device tree: \(error)") }
    }

    /// The tree with everything in it that a boot adds. Its size does not hang on where the initrd lies.
    func flattenedTree(initrd start: UInt64) throws(MachineError) -> [UInt8] {
        let seed = [UInt8](repeating: 0, count: Chosen.seedSize)
        let range = initrd.map { start..<start + UInt64($0.bytes.count) }
        tree.root.choose(Chosen(arguments: arguments, initrd: range, seed: seed))
        do throws(DeviceTreeError) {
            var blob = try tree.flattened()
            // Other seeds are put there later.
            guard FlatTree.replace("rng-seed", of: "/chosen", in: &blob, with: seed) else {
                throw DeviceTreeError("it has more than one /chosen")
            }
            return blob
        } catch { throw MachineError("the device tree: \(error)") }
    }

    private mutating func add(_ loader: LoaderDevice, _ shape: MachineShape) throws(MachineError) {
        var entry = loader.address
        switch loader.content {
        case .nothing: break
        case .data(let value, let count, let isBig):
            let bytes = (0..<count).map { index in
                UInt8(truncatingIfNeeded: value >> UInt64(8 * (isBig ? count - 1 - index : index)))
            }
            let piece = ImagePiece(address: entry ?? 0, bytes: bytes[...], size: UInt64(count))
            try take(GuestImage(format: .raw, pieces: [piece], entry: piece.address), "loader's data")
        case .file(let path, let isRaw):
            let file = try ImageFile(path, role: "loader's file", limit: shape.ramSize)
            var image = try isRaw ? GuestImage(raw: file) : GuestImage(file, width: width, limit: shape.ramSize)
            if image.format != .elf {
                guard let address = loader.address else {
                    throw file.refuse("is no ELF file, which would say where it goes: name an address with addr=")
                }
                image = image.moved(to: address)
            }
            entry = image.entry
            try take(image, "loader's file \(path)")
        }
        guard let hart = loader.hart, let entry else { return }
        guard hart < shape.hartCount else {
            throw MachineError("-device loader,cpu-num=\(hart): the machine's last hart is \(shape.hartCount - 1)")
        }
        starts[hart] = entry
    }

    /// An image at its final address, which may be any.
    private mutating func take(_ image: GuestImage, _ what: String) throws(MachineError) {
        for piece in image.pieces where piece.address.addingReportingOverflow(piece.size).overflow {
            throw MachineError("\(what): it reaches past the last address, from \(hexadecimal(piece.address)) on")
        }
        loaded.append((what, image))
    }

    // MARK: For the layout

    var contents: BootContents {
        var contents = BootContents()
        contents.width = width
        func fix(_ what: String, _ image: GuestImage) {
            contents.fixed += image.pieces.map { (what, $0.address, $0.size) }
        }
        if let firmware {
            fix(firmwareName, firmware)
            contents.firmwareEnd = firmware.end
        }
        if let kernel {
            if kernel.format == .elf {
                fix(kernelName, kernel)
                contents.kernelStart = kernel.start
            } else {
                contents.kernel = (kernelName, kernel.pieces[0].size)
            }
        }
        for (what, image) in loaded { fix(what, image) }
        contents.initrd = initrd.map { ("initrd \($0.path)", UInt64($0.bytes.count)) }
        contents.treeSize = treeSize
        return contents
    }

    func pieces(_ layout: BootLayout) -> [ImagePiece] {
        var pieces = firmware?.pieces ?? []
        if let kernel { pieces += kernel.format == .elf ? kernel.pieces : kernel.moved(to: layout.kernel).pieces }
        if let initrd {
            pieces.append(
                ImagePiece(address: layout.initrd, bytes: initrd.bytes[...], size: UInt64(initrd.bytes.count)))
        }
        return pieces + loaded.flatMap(\.image.pieces)
    }

    /// Of the kernel, else of the firmware, else of what is loaded beside them.
    var hostWords: (to: UInt64, from: UInt64?)? {
        for image in [kernel, firmware] + loaded.map({ Optional($0.image) }) {
            if let to = image?.symbols["tohost"] { return (to, image?.symbols["fromhost"]) }
        }
        return nil
    }
}
