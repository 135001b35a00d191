// What cannot be made or booted ends with one clear line on standard error that names the file or the option, with status 1, and with
// nothing begun.

import TestSupport
import Testing

/// A command line that must be refused.
struct BadLine: Sendable, CustomTestStringConvertible {
    var options: String
    var mentions: [String]
    var testDescription: String { options }

    init(_ options: String, _ mentions: String...) {
        self.options = options
        self.mentions = mentions
    }

    /// "FILE" stands for a good program of 9 KiB.
    static let all: [BadLine] = [
        BadLine("-m 0", "-m", "0 bytes"), BadLine("-m 1B", "-m", "4096"),
        BadLine("-m 9223372036854775808B", "-m", "56 bits"),
        BadLine("-m 99999999999999999999", "99999999999999999999"), BadLine("-m nonsense", "nonsense", "512M"),
        BadLine("-m -1", "-1"), BadLine("-m 5000B", "-m", "pages"),
        BadLine("-m 64M,slots=2", "slots", "maxmem"), BadLine("-m 64M,maxmem=32M", "maxmem", "at least"),
        BadLine("-m 64M,slots=2,maxmem=64M", "slots"), BadLine("-m 64M,slots=x,maxmem=1G", "slots wants a number"),
        BadLine("-m 64M,nonsense=1", "nonsense", "maxmem"), BadLine("-m 64M,64M", "64M"), BadLine("-m 64M,", "-m"),
        BadLine("-m size=x", "512M"), BadLine("-m 64M,maxmem=x", "2G"),
        BadLine("-M nonsense", "nonsense", "virt, spike"), BadLine("-M virt,nonsense=1", "nonsense", "aclint"),
        BadLine("-M virt,aclint=maybe", "aclint=maybe", "on or off"), BadLine("-M spike,aclint=on", "aclint"),
        BadLine("-M virt,acpi=on", "acpi=on", "off or auto"), BadLine("-M virt,dumpdtb", "dumpdtb=VALUE"),
        BadLine("-M virt,dumpdtb=/no/such/file", "/no/such/file"),
        BadLine("-cpu nonsense", "nonsense", "rv64"), BadLine("-cpu rv64,nonsense=on", "nonsense", "-cpu help"),
        BadLine("-cpu rv64,zba=maybe", "zba=maybe", "on or off"), BadLine("-cpu rv64,h=on", "'h'"),
        BadLine("-smp 0", "-smp 0"), BadLine("-smp 513", "-smp 513", "512"), BadLine("-smp -1", "-smp -1"),
        BadLine("-smp nonsense", "nonsense"), BadLine("-smp 2,cores=3", "cores=3", "sockets * cores * threads"),
        BadLine("-smp 3,sockets=2", "sockets=2"), BadLine("-smp 4,maxcpus=2", "maxcpus=2", "at most"),
        BadLine("-smp 4,sockets=0", "sockets"), BadLine("-smp 4,dies=2", "dies=1"),
        BadLine("-smp 4,nonsense=1", "nonsense", "sockets"), BadLine("-smp 1,maxcpus=513", "maxcpus=513", "512"),
        BadLine("-smp 4,sockets=2,cores=2,threads=2", "sockets=2, cores=2, threads=2", "4 harts"),
        BadLine("-smp cores=9223372036854775807,threads=2", "cores=9223372036854775807"), BadLine("-smp 2,", "-smp"),
        BadLine("-serial nonsense", "nonsense", "mon:FORM"), BadLine("-serial file:", "file:PATH"),
        BadLine("-serial tcp::1", "tcp::1"), BadLine("-serial file:/no/such/file", "/no/such/file"),
        BadLine("-serial stdio -monitor stdio", "mon:stdio"), BadLine("-monitor nonsense", "nonsense"),
        BadLine("-serial null -serial file:/no/such/file", "-serial", "1"),
        BadLine("-chardev nonsense,id=a", "-chardev", "nonsense", "socket"), BadLine("-chardev null", "id=ID"),
        BadLine("-chardev null,id=a -chardev null,id=a", "-chardev", "id=a", "two"),
        BadLine("-serial chardev:b", "'b'", "-chardev"), BadLine("-mon nonsense=1", "nonsense", "chardev=ID"),
        BadLine("-mon chardev=a,mode=control", "control", "readline"), BadLine("-mon b", "'b'", "-chardev"),
        BadLine("-chardev null,id=a -serial chardev:a -mon a", "'a'", "mux=on"),
        BadLine("-chardev stdio,id=a -serial stdio", "once only"),
        BadLine("-chardev socket,id=a,path=FILE,server=on", "FILE", "in use"),
        BadLine("-chardev file,id=a,path=/no/such/file", "/no/such/file"),
        BadLine("-bios /no/such/file", "firmware /no/such/file"), BadLine("-bios /tmp", "/tmp"),
        BadLine("-kernel /no/such/file", "kernel /no/such/file"), BadLine("-kernel /dev/zero", "/dev/zero"),
        BadLine("-kernel FILE -initrd /no/such/file", "initrd /no/such/file"),
        BadLine("-dtb /no/such/file", "dtb /no/such/file"), BadLine("-dtb FILE", "FILE", "device tree"),
        BadLine("-initrd FILE", "-initrd", "-kernel"), BadLine("-append text", "-append", "-kernel"),
        BadLine("-bios none -m 4K -kernel FILE", "kernel FILE", "4 KiB"),
        BadLine("-bios FILE -device loader,file=FILE,addr=0x80000000", "overlap", "firmware FILE"),
        BadLine("-bios none -kernel FILE -initrd FILE -m 8K", "FILE", "8 KiB"),
        BadLine("-device nonsense", "nonsense", "-device help"),
        BadLine("-device virtio-blk-device", "drive=ID", "-drive"),
        BadLine("-device virtio-blk-device,drive=d", "drive=d", "-drive"),
        BadLine("-device virtio-blk-device,nonsense=1", "nonsense", "-device virtio-blk-device,help"),
        BadLine("-device virtio-blk-device,queue-size=100", "queue-size=100", "power of two"),
        BadLine("-device virtio-rng-device,bus=pci.0", "pci.0", "virtio-mmio-bus.0"),
        BadLine("-device virtio-rng-device,bus=virtio-mmio-bus.9", "slot 9"),
        BadLine("-M spike -device virtio-rng-device", "virtio-rng-device", "spike"),
        BadLine("-M spike -device virtio-rng-pci", "virtio-rng-pci", "spike", "PCI"),
        BadLine("-device virtio-rng-pci,bus=pci.0", "pci.0", "pcie.0"),
        BadLine("-device virtio-rng,addr=20", "addr=20", "1f.7"),
        BadLine("-device virtio-rng,addr=0", "addr=00.0", "another"),
        BadLine("-device virtio-rng,addr=3 -device virtio-rng,addr=3.1", "addr=03.1", "multifunction=on"),
        BadLine("-device virtio-rng-pci,disable-legacy=off", "disable-legacy", "auto|on"),
        BadLine("-device virtio-net-device,netdev=n", "netdev=n", "-netdev"),
        BadLine("-device virtio-net-device,mac=52:54", "52:54", "52:54:00:12:34:56"),
        BadLine("-netdev user", "id=ID"), BadLine("-netdev user,id=n,net", "net"),
        BadLine("-netdev user,id=n,net=1", "net=1", "10.0.2.0/24"),
        BadLine("-netdev user,id=n,hostfwd=22", "hostfwd=22"),
        BadLine("-netdev user,id=n,host=1.2.3.4", "host=1.2.3.4", "10.0.2.0"),
        BadLine("-netdev user,id=n,nonsense=1", "nonsense", "hostfwd"),
        BadLine("-netdev user,id=n -netdev user,id=n", "id=n", "two"),
        BadLine("-fsdev local,id=f", "no path", "security_model"), BadLine("-fsdev proxy,id=f", "proxy", "local"),
        BadLine("-fsdev local,path=/tmp,security_model=none", "id=ID"),
        BadLine("-fsdev local,id=f,path=/tmp,security_model=mapped-file", "mapped-file", "mapped-xattr"),
        BadLine("-fsdev local,id=f,path=/tmp,security_model=none,fmode=0644", "fmode", "mapped-xattr"),
        BadLine("-virtfs local,path=/tmp,security_model=none", "mount_tag"),
        BadLine("-virtfs local,path=/nowhere,mount_tag=t,security_model=none", "/nowhere", "No such file"),
        BadLine("-device virtio-9p-pci,mount_tag=t,fsdev=f", "fsdev=f", "-fsdev"),
        BadLine("-device virtio-9p-pci,fsdev=f", "mount_tag", "31"),
        BadLine("-object", "-object", "KIND"), BadLine("-object nonsense,id=o", "nonsense", "filter-dump"),
        BadLine("-object iothread,id=o,poll-max-ns=1", "poll-max-ns"),
        BadLine("-blockdev null-co,node-name=d -device virtio-blk-pci,drive=d,iothread=o", "iothread=o", "-object"),
        BadLine(
            "-object iothread,id=o -blockdev null-co,node-name=d -device virtio-blk-device,drive=d,iothread=o",
            "iothread=", "PCI bus"), BadLine("-object rng-builtin", "id=ID"),
        BadLine("-object rng-builtin,id=o,nonsense=1", "nonsense", "rng-builtin"),
        BadLine("-object rng-random,id=o,filename=/no/such/file", "/no/such/file"),
        BadLine("-object rng-builtin,id=o -object rng-builtin,id=o", "id=o", "two"),
        BadLine("-device virtio-rng,rng=o", "rng=o", "-object"),
        BadLine("-device virtio-rng,max-bytes=0", "max-bytes", "1.."),
        BadLine("-object filter-dump,id=o", "netdev=ID"), BadLine("-object filter-dump,id=o,netdev=n", "netdev=n"),
        BadLine("-object filter-dump,id=o,netdev=n,maxlen=x", "maxlen=x", "bytes"),
        BadLine("-object filter-dump,id=o,netdev=n,queue=x", "queue=x", "all, rx or tx"),
        BadLine("-netdev user,id=n -object filter-dump,id=o,netdev=n,file=/no/such/file", "/no/such/file"),
        BadLine("-netdev vde,id=n", "vde", "not supported"), BadLine("-netdev nonsense,id=n", "nonsense", "stream"),
        BadLine("-netdev stream,id=n", "addr.type=inet|unix|fd"),
        BadLine("-netdev stream,id=n,addr.type=x", "addr.type=x", "inet, unix or fd"),
        BadLine("-netdev stream,id=n,addr.type=inet,addr.host=h", "addr.port=PORT"),
        BadLine("-netdev stream,id=n,addr.type=unix", "addr.path=PATH"),
        BadLine("-netdev stream,id=n,addr.type=unix,addr.path=/no/such/socket", "id=n", "unix:/no/such/socket"),
        BadLine("-netdev stream,id=n,addr.type=unix,addr.path=/x,server=on,reconnect-ms=5", "reconnect-ms", "server"),
        BadLine("-netdev stream,id=n,addr.type=unix,addr.path=/x,nonsense=1", "nonsense", "addr.path"),
        BadLine("-netdev stream,id=n,addr.type=fd,addr.str=x", "addr.str=x", "open file"),
        BadLine("-netdev stream,id=n,addr.type=fd,addr.str=99", "99", "socket"),
        BadLine("-netdev dgram,id=n", "local.type"),
        BadLine("-netdev dgram,id=n,remote.type=inet,remote.host=127.0.0.1,remote.port=9", "local.type"),
        BadLine(
            "-netdev dgram,id=n,remote.type=inet,remote.host=230.0.0.1,remote.port=9,local.type=inet,local.host=x",
            "local.host=x"),
        BadLine("-netdev dgram,id=n,local.type=unix,local.path=/x,remote.type=inet,remote.port=9", "the same"),
        BadLine("-netdev socket,id=n", "listen=", "connect="), BadLine("-netdev socket,id=n,udp=:9", "localaddr"),
        BadLine("-netdev socket,id=n,listen=:9,connect=:9", "exactly one"),
        BadLine("-netdev socket,id=n,connect=x", "connect=", "HOST:PORT"),
        BadLine("-netdev socket,id=n,mcast=127.0.0.1:9", "127.0.0.1", "group"),
        BadLine("-netdev hubport,id=n", "hubid="),
        BadLine("-netdev hubport,id=n,hubid=0,netdev=x", "netdev=x", "-netdev"),
        BadLine(
            "-netdev user,id=u -netdev hubport,id=n,hubid=0,netdev=u -device virtio-net,netdev=u", "netdev=u", "another"
        ),
        BadLine("-netdev tap,id=n", "script=no"), BadLine("-netdev tap,id=n,script=no,vhost=on", "vhost=off"),
        BadLine("-netdev tap,id=n,script=no,queues=0", "queues=0", "256"),
        BadLine("-netdev tap,id=n,fds=9:x", "fds=x"), BadLine("-netdev tap,id=n,fds=98:99", "98", "tap"),
        BadLine("-netdev tap,id=n,fds=9,queues=2", "queues"),
        BadLine("-netdev tap,id=n,script=no,vnet_hdr=x", "vnet_hdr"),
        BadLine("-netdev tap,id=n,fd=x", "fd=x"),
        BadLine("-netdev tap,id=n,script=no,ifname=a-name-of-16-byt", "ifname=", "15"),
        BadLine("-netdev tap,id=n,fd=99", "99", "tap"), BadLine("-netdev tap,id=n,fd=9,ifname=x", "without ifname"),
        BadLine("-netdev user,id=n,smb=/x", "smb=/x"), BadLine("-netdev user,id=n,guestfwd=x", "guestfwd=x", "cmd:"),
        BadLine("-netdev user,id=n,guestfwd=tcp:1.2.3.4:5-cmd:true", "guestfwd=1.2.3.4", "10.0.2.0"),
        BadLine("-netdev user,id=n,guestfwd=tcp:10.0.2.9:5-nonsense", "guestfwd=", "nonsense", "chardev:ID"),
        BadLine("-netdev user,id=n,guestfwd=tcp:10.0.2.9:5-chardev:c", "'c'", "-chardev"),
        BadLine("-netdev user,id=n,guestfwd=tcp:10.0.2.9:5-unix:/no/such/socket", "guestfwd", "/no/such/socket"),
        BadLine("-device virtio-net,host_mtu=67", "host_mtu=67", "68"),
        BadLine("-net nonsense", "nonsense"), BadLine("-net nic,nonsense=1", "nonsense", "macaddr"),
        BadLine("-net nic,model=e1000", "e1000", "virtio-net-device"),
        BadLine("-nic user,model=e1000", "e1000", "virtio-net-device"),
        BadLine("-device {\"driver\":\"nonsense\"}", "nonsense", "-device help"), BadLine("-device {", "JSON"),
        BadLine("-device {\"drive\":\"d\"}", "no driver"),
        BadLine("-blockdev driver=null-co", "node-name=NAME"),
        BadLine("-blockdev driver=vmdk,node-name=a", "vmdk", "qcow2"),
        BadLine("-blockdev driver=null-co,node-name=a,nonsense=1", "nonsense", "size"),
        BadLine("-blockdev driver=raw,node-name=a,file=b", "'b'", "node-name="),
        BadLine("-blockdev driver=null-co,node-name=a -blockdev driver=null-co,node-name=a", "node-name=a", "another"),
        BadLine("-blockdev driver=file,node-name=a,filename=/no/such/file", "/no/such/file"),
        BadLine("-blockdev {\"driver\":\"file\"}", "filename=FILE"),
        BadLine(
            "-blockdev driver=null-co,node-name=a -device virtio-blk-device,drive=a -device virtio-blk-device,drive=a",
            "drive=a",
            "another device"),
        BadLine("-object throttle-group,id=g -object throttle-group,id=g", "id=g", "two"),
        BadLine("-object nonsense,id=g", "nonsense", "throttle-group"), BadLine("-object throttle-group", "id=ID"),
        BadLine("-object throttle-group,id=g,x-bps-max=5", "x-bps-max", "x-bps-total"),
        BadLine("-drive file=FILE,serial=a", "serial", "-device"), BadLine("-drive file=FILE,index=-1", "index=-1"),
        BadLine("-drive file=FILE,index=0,readonly=on -drive file=FILE,index=0,readonly=on", "index=0", "another one"),
        BadLine("-drive file=FILE,throttling.bps-total=1,throttling.bps-read=1", "throttling.bps-read", "without"),
        BadLine("-drive file=FILE,throttling.group=g", "throttling.bps-total"),
        BadLine("-drive file=FILE,werror=none", "werror=none", "enospc"),
        BadLine("-drive file=FILE,rerror=enospc", "ignore"),
        BadLine("-drive file=FILE,file.filename=FILE", "goes without"),
        BadLine("-drive file.filename=FILE,file.nonsense=1", "file.nonsense", "locking"),
        BadLine("-drive file=FILE,copy-on-read=on,readonly=on", "readonly=off"),
        BadLine("-drive file=json:{", "JSON"), BadLine("-cdrom /no/such/file", "-cdrom /no/such/file"),
        BadLine("-hdc /no/such/file", "-hdc /no/such/file"), BadLine("-drive file=FILE,media=tape", "cdrom"),
        BadLine("-drive file=/no/such/file", "/no/such/file"), BadLine("-drive if=virtio", "file=FILE"),
        BadLine("-drive if=none,format=raw", "file=FILE"), BadLine("-drive media=cdrom", "file=FILE"),
        BadLine("-drive if=none,id=d -device virtio-blk-device,drive=d", "drive=d", "empty", "medium"),
        BadLine("-drive if=none,id=d -M pflash0=d", "drive=d", "medium"),
        BadLine("-drive file=FILE,if=ide", "if=ide", "virtio"),
        BadLine("-drive file=FILE,if=scsi,unit=256", "unit=256", "255"),
        BadLine("-device virtserialport", "virtserialport", "virtio-serial-bus"),
        BadLine("-device virtio-serial,id=s -device virtconsole,bus=x.0", "x.0", "s.0"),
        BadLine("-device virtio-serial -device virtserialport,nr=0", "nr=0", "virtconsole"),
        BadLine("-device virtio-serial,max_ports=2 -device virtserialport,nr=2", "nr=2", "max_ports"),
        BadLine("-device virtio-serial -device virtconsole,chardev=c", "'c'", "-chardev"),
        BadLine("-chardev null,id=c -serial chardev:c -device virtio-serial -device virtconsole,chardev=c", "mux=on"),
        BadLine("-device virtio-balloon -device virtio-balloon-device", "virtio-balloon-device", "at most"),
        BadLine("-device scsi-hd", "drive=ID"), BadLine("-device virtio-scsi,virtqueue_size=5", "power of two"),
        BadLine("-blockdev driver=null-co,node-name=a -device scsi-hd,drive=a", "scsi-hd", "bus 'scsi'"),
        BadLine(
            "-blockdev driver=null-co,node-name=a -blockdev driver=null-co,node-name=b -device virtio-scsi "
                + "-device scsi-cd,drive=a,scsi-id=1 -device scsi-hd,drive=b,scsi-id=1,lun=0", "scsi-id=1,lun=0",
            "another device"),
        BadLine("-device virtio-scsi -device scsi-hd,vendor=123456789", "vendor=123456789", "8 bytes"),
        BadLine(
            "-drive file=FILE,format=raw,if=none,id=d -device virtio-net,bootindex=1 -device virtio-blk,drive=d,bootindex=1",
            "virtio-blk-pci", "bootindex=1", "another"),
        BadLine("-device virtio-net,bootindex=x", "bootindex", "x"),
        BadLine("-fw_cfg name=opt/x", "file=FILE"), BadLine("-fw_cfg opt/x,file=/no/such/file", "/no/such/file"),
        BadLine("-M spike -fw_cfg opt/x,string=1", "spike"),
        BadLine("-drive file=FILE,format=raw,if=pflash,unit=2", "unit=2", "0 or 1"),
        BadLine("-drive file=FILE,format=raw,if=none,unit=1", "unit=", "if=pflash"),
        BadLine("-drive file=FILE,format=raw,if=pflash", "33554432"),
        BadLine("-M virt,pflash0=x", "x", "-drive"), BadLine("-M spike,pflash0=x", "pflash0"),
        BadLine("-drive file=FILE,format=vmdk", "vmdk", "qcow2"),
        BadLine("-drive file=FILE,cache=some", "cache=some", "writeback"),
        BadLine("-drive file=FILE,if=none,id=d -drive file=FILE,if=none,id=d", "id=d", "two"),
        BadLine(
            "-drive file=FILE,if=none,id=d -device virtio-blk-device,drive=d -device virtio-blk-device,drive=d",
            "drive=d", "another"),
        BadLine("-device loader", "-device loader", "file="),
        BadLine("-device loader,nonsense=1", "nonsense", "addr"), BadLine("-device loader,file=FILE", "addr="),
        BadLine("-device loader,file=/no/such/file,addr=0x80000000", "/no/such/file"),
        BadLine("-bios none -device loader,addr=0x80000000,cpu-num=1", "cpu-num=1"),
        BadLine("-bios none -device loader,addr=0x10,data=1,data-len=8", "0x10"),
        BadLine("-bios none -device loader,addr=0xffffffffffffffff,data=1,data-len=8", "0xffffffffffffffff"),
        BadLine("-nonsense", "-nonsense", "-h"), BadLine("nonsense", "nonsense", "-h"),
        BadLine("-kernel", "-kernel", "FILE"),
        BadLine("-display gtk", "gtk", "none"), BadLine("-rtc base=nonsense", "nonsense", "YYYY-MM-DD"),
        BadLine("-rtc base=2026-02-29", "2026-02-29", "YYYY-MM-DD"), BadLine("-rtc base=2026-13-01", "2026-13-01"),
        BadLine("-rtc base=2026-01-01T24:00:00", "24:00:00"), BadLine("-rtc base=2026-01-01T12:00", "12:00"),
        BadLine("-rtc base=1969-12-31", "1969", "1970"), BadLine("-rtc base=2554-01-01", "2554", "2553"),
        BadLine("-rtc base=+2026-01-01", "+2026"), BadLine("-rtc base=", "base", "utc"),
        BadLine("-rtc clock=sun", "host, rt or vm"), BadLine("-rtc driftfix=slew", "slew", "driftfix=none"),
        BadLine("-rtc nonsense=1", "nonsense", "base=utc"), BadLine("-rtc utc", "'utc'", "base=utc"),
        BadLine("-icount 11", "0 to 10", "shift=auto"), BadLine("-icount shift=2,auto", "'auto'"),
        BadLine("-icount shift=11", "0 to 10"), BadLine("-icount shift=-1", "0 to 10"),
        BadLine("-icount shift=", "0 to 10"),
        BadLine("-icount sleep=off", "shift=N"), BadLine("-icount shift=1,sleep=maybe", "on or off"),
        BadLine("-icount shift=1,align=on,sleep=off", "align=on", "sleep=off"),
        BadLine("-icount align=on", "shift=N"), BadLine("-icount shift=1,rr=record,rrfile=f", "shift=N"),
        BadLine("-icount shift=1,nonsense=1", "nonsense", "shift=N"), BadLine("-icount off", "shift=N"),
        BadLine("-icount shift=1 -accel tcg,thread=multi", "thread=multi", "-icount", "thread=single"),
        BadLine("-icount shift=1 -accel tcg,background=on", "background=on", "-icount"),
        BadLine("-boot x", "'x'", "a to p"), BadLine("-boot order=cc", "'c'", "twice"),
        BadLine("-boot once=c", "once=c", "bootindex"), BadLine("-boot menu=maybe", "menu=maybe", "on or off"),
        BadLine("-boot nonsense=1", "nonsense", "splash"), BadLine("-boot splash-time=65536", "splash-time", "65535"),
        BadLine("-boot reboot-timeout=-2", "reboot-timeout", "-1"), BadLine("-boot splash=FILE", "FILE", "JPEG"),
        BadLine("-boot splash=/no/such/file", "/no/such/file"), BadLine("-name a,nonsense=1", "nonsense", "process="),
        BadLine("-name a,debug-threads=maybe", "debug-threads", "on or off"),
        BadLine("-uuid 1", "-uuid 1", "01234567-89ab"), BadLine("-uuid 0123456789abcdef0123456789abcdef", "-89ab-"),
        BadLine("-uuid g1234567-89ab-cdef-0123-456789abcdef", "hexadecimal"),
        BadLine("-pidfile /no/such/file", "-pidfile", "/no/such/file"), BadLine("-pidfile /tmp", "/tmp", "plain file"),
        BadLine("-pidfile /dev/null", "/dev/null", "plain file"),
        BadLine("-action reboot=x", "reboot=x", "shutdown"), BadLine("-action shutdown=x", "poweroff or pause"),
        BadLine("-action panic=x", "exit-failure"), BadLine("-action nonsense=x", "nonsense", "watchdog="),
        BadLine("-daemonize -nographic", "-nographic", "-daemonize"),
        BadLine("-daemonize -serial mon:stdio", "-serial stdio", "-daemonize"),
        BadLine("-daemonize -chardev stdio,id=c", "-chardev stdio,id=c"),
        BadLine("-daemonize -monitor stdio", "-monitor stdio"), BadLine("-daemonize -d int", "-D FILE"),
        BadLine("-daemonize -kernel /no/such/file", "/no/such/file"),
        BadLine("-readconfig /no/such/file", "-readconfig", "/no/such/file"), BadLine("-writeconfig f", "-writeconfig"),
        BadLine("-global nonsense", "DRIVER.PROP=VALUE"), BadLine("-global driver=a,property=b", "value=VALUE"),
        BadLine("-global virtio-rng-device.nonsense=1 -device virtio-rng-device", "-global", "nonsense"),
        BadLine("-global virtio-net-device.rx_queue_size=x -device virtio-net", "-global", "rx_queue_size"),
        BadLine("-device virtio-rng,id=a -device virtio-rng,id=a", "-device", "id=a", "two"),
        BadLine("-seed x", "-seed x"), BadLine("-d nonsense", "nonsense", "-d help"),
        BadLine("-d in_asm -D /no/such/file", "/no/such/file"), BadLine("-dfilter zz", "zz"),
        BadLine("-accel kvm", "kvm", "tcg"), BadLine("-accel tcg,thread=many", "thread"),
        BadLine("-accel tcg,tb-size=1K", "64K"),
    ]
}

/// A damaged file.
struct BadImage: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var options = "-bios none -kernel FILE"
    var mentions: String
    var bytes: @Sendable () -> [UInt8]

    private static func elf(_ name: String, _ mentions: String, _ at: Int, _ bytes: [UInt8]) -> BadImage {
        BadImage(testDescription: name, mentions: mentions) {
            var file = MachineProgram.idle.elf
            file.replaceSubrange(at..<at + bytes.count, with: bytes)
            return file
        }
    }

    /// A kernel of 4 KiB with a header, and a field of it.
    private static func linux(_ name: String, _ mentions: String, _ fields: [(at: Int, bytes: [UInt8])]) -> BadImage {
        BadImage(testDescription: name, mentions: mentions) {
            var file = [UInt8](repeating: 0, count: 4096)
            for field in fields + [(56, [0x52, 0x53, 0x43, 5])] {
                file.replaceSubrange(field.at..<field.at + field.bytes.count, with: field.bytes)
            }
            return file
        }
    }

    static let all: [BadImage] = [
        BadImage(testDescription: "empty", mentions: "empty") { [] },
        BadImage(testDescription: "ELF cut in its header", mentions: "cut off") {
            Array(MachineProgram.idle.elf.prefix(40))
        },
        BadImage(testDescription: "ELF cut in its segment", mentions: "cut off") {
            Array(MachineProgram.idle.elf.prefix(0x1100))
        },
        elf("ELF of 32 bits", "64-bit", 4, [1]), elf("big-endian ELF", "little-endian", 5, [2]),
        elf("ELF for x86-64", "243", 18, [62, 0]), elf("relocatable ELF", "type 1", 16, [1]),
        elf("program headers beyond the end", "cut off", 32, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        elf("65535 program headers", "cut off", 56, [0xff, 0xff]), elf("nothing to load", "no segment", 64, [4]),
        elf("file size above memory size", "impossible", 64 + 40, [1, 0]),
        elf("segment outside of RAM", "does not lie in RAM", 64 + 24, [0, 0, 0, 0]),
        elf("segment that wraps", "impossible", 64 + 24, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        linux("big-endian kernel", "big-endian", [(24, [1])]),
        linux("kernel that asks for 2^63 bytes", "0x8000000000000000", [(23, [0x80])]),
        linux("kernel larger than RAM", "does not lie in RAM", [(20, [1])]),
        linux("kernel cut off", "cut off", [(60, [64]), (64, [0x50, 0x45, 0, 0]), (70, [1]), (88 + 17, [0x20])]),
        BadImage(testDescription: "gzip cut off", mentions: "cut off") {
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 100, 0, 0x9b, 0xff, 1, 2, 3]
        },
        BadImage(testDescription: "gzip damaged", mentions: "damaged") {
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] + [UInt8](repeating: 0xff, count: 64)
        },
        BadImage(testDescription: "device tree cut off", options: "-bios none -dtb FILE", mentions: "device tree") {
            [0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0x10, 0, 0, 0, 0, 0x38, 0, 0, 0, 0x38]
        },
        BadImage(testDescription: "device tree of 4 GiB", options: "-bios none -dtb FILE", mentions: "device tree") {
            [0xd0, 0x0d, 0xfe, 0xed] + [UInt8](repeating: 0xff, count: 96)
        },
    ]
}

@Suite struct RefusalTests {
    @Test(arguments: BadLine.all)
    func aBadCommandLineIsRefusedInOneLine(_ bad: BadLine) throws {
        // Whether there is firmware on this host is another matter.
        let firmware = bad.options.contains("-bios") ? [] : ["-bios", "none"]
        let words = firmware + bad.options.split(separator: " ").map(String.init)
        let run = try SystemBinary.run(words, file: MachineProgram.virt("", finish: 0x5555).raw)
        checkRefusal(run, mentions: bad.mentions.map { $0.replacing("FILE", with: "") })
    }

    @Test(arguments: BadImage.all)
    func aDamagedFileIsRefusedInOneLine(_ bad: BadImage) throws {
        let run = try SystemBinary.run(bad.options.split(separator: " ").map(String.init), file: bad.bytes())
        checkRefusal(run, mentions: ["/file", bad.mentions])
    }

    @Test func anUnknownTargetIsRefused() throws {
        checkRefusal(
            try runProcess(SystemBinary.system(), ["vax"], seconds: 10), mentions: ["vax", "riscv64, riscv32"])
        checkRefusal(try runProcess(SystemBinary.system(), [], seconds: 10), mentions: ["riscv64, riscv32"])
    }

    @Test func whatIsRefusedHasWrittenNothing() throws {
        let folder = try TemporaryFolder("kept")
        let kept = folder.path + "/kept"
        try writeFile(kept, Array("kept".utf8))
        let bad = [
            "-serial file:\(kept) -kernel /no/such/file", "-chardev file,id=a,path=\(kept) -serial chardev:b",
            "-serial file:\(kept) -serial stdio",
            "-M virt,dumpdtb=\(kept) -kernel /no/such/file", "-M virt,dumpdtb=\(folder.path)/new -smp 513",
        ]
        for options in bad {
            let run = try SystemBinary.run(["-bios", "none"] + options.split(separator: " ").map(String.init))
            checkRefusal(run, mentions: [])
        }
        #expect(readFile(kept) == Array("kept".utf8))
        #expect(folder.files == ["kept"])
    }

    @Test func martletWithoutItsSiblingSaysWhatIsMissing() throws {
        let folder = try TemporaryFolder("alone")
        // Copied by another process: a program that this one has open for writing may be held open by children that others start just then,
        // and cannot be executed.
        let copy = try runProcess("/bin/cp", [SystemBinary.martlet(), folder.path + "/martlet"], seconds: 10)
        #expect(copy.exit == 0)
        let run = try runProcess(folder.path + "/martlet", ["system", "riscv64", "-M", "help"], seconds: 10)
        checkRefusal(run, mentions: [folder.path + "/martlet-system"])
    }
}
