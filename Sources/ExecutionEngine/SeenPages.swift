// Where the pages lie that one translation is made from, as the vCPU sees them that it is made for.

import GuestMemory

/// A page of guest addresses, by its first one, and where it lies.
struct SeenPage: Equatable, BitwiseCopyable, Sendable {
    var page: UInt64
    var place: GuestPlace
}

/// The first page is that of a translation's pc. In memory that has no places, one page is all there is.
struct SeenPages: BitwiseCopyable, Sendable {
    /// More are not taken into one region.
    static let limit = 8
    private var pages = InlineArray<8, SeenPage>(repeating: SeenPage(page: 0, place: .same))
    private(set) var count = 1
    /// Of the bits of an address that tell its page.
    private let mask: UInt64

    /// - Parameter size: of a page; 0 where memory has no places.
    init(_ key: CodeKey, size: UInt64) {
        mask = size > 0 ? ~(size &- 1) : 0
        pages[0] = SeenPage(page: key.pc & mask, place: key.place)
        if key.rest != CodeKey.noRest { add((key.pc & mask) &+ size, key.rest) }
    }

    subscript(_ index: Int) -> SeenPage { pages[index] }

    @inline(__always) func place(of address: UInt64) -> GuestPlace? {
        let page = address & mask
        for i in 0..<count where pages[i].page == page { return pages[i].place }
        return nil
    }

    /// Where the byte at an address lies, if its page is one of these.
    func known(_ address: UInt64) -> GuestLocation? { place(of: address)?.location(of: address) }

    /// Where a byte of one of the pages lies.
    @inline(__always) func location(of address: UInt64) -> GuestLocation {
        (place(of: address) ?? pages[0].place).location(of: address)
    }

    /// The address at which a byte of one of the pages is seen.
    func address(of location: GuestLocation) -> UInt64 {
        for i in 0..<count {
            let address = pages[i].place.address(of: location)
            if address & mask == pages[i].page { return address }
        }
        return pages[0].place.address(of: location)
    }

    /// Adds the page of an address as it is seen in `view`; false when there are too many, not all of it is seen there, its relative code is
    /// made for another address (`addresses`), or another one lies in the same place: where a byte lies is to tell its address.
    mutating func take(_ address: UInt64, in view: CodeView, _ addresses: PageAddresses?) -> Bool {
        if place(of: address) != nil { return true }
        guard count < Self.limit, let place = view.wholePlace(of: address) else { return false }
        let location = place.location(of: address & mask)
        if let known = addresses?.find(location), known != address & mask { return false }
        for i in 0..<count where pages[i].place.location(of: pages[i].page) == location { return false }
        return add(address, place)
    }

    /// Adds the page of an address; false when there are too many.
    @discardableResult
    mutating func add(_ address: UInt64, _ place: GuestPlace) -> Bool {
        if self.place(of: address) != nil { return true }
        guard count < Self.limit else { return false }
        pages[count] = SeenPage(page: address & mask, place: place)
        count += 1
        return true
    }

    /// Adds the pages of `other` that an address lies in.
    mutating func add(_ address: UInt64, of other: SeenPages) {
        if let place = other.place(of: address) { add(address, place) }
    }
}
