// What can be asked of a machine's networks while it runs.

/// Everything is called by the main loop's thread, without a lock held.
public protocol NetworkControl: AnyObject {
    var backends: [NetBackend] { get }
    /// `name`: of a back end, or of the card at its other end.
    func setLink(_ name: String, _ isUp: Bool) throws(NetError)
    /// `text`: a value of `-netdev`.
    func add(netdev text: String) throws(NetError)
    func remove(netdev name: String) throws(NetError)
    /// Does something to a user network, with its lock held. Without a name, to the first one that there is.
    func withUserNetwork<R>(_ name: String?, _ body: (UserNetwork) throws(NetError) -> R) throws(NetError) -> R
}
