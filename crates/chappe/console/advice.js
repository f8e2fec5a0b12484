// Why a link is down, and what to do about it, from the words in which the service says so.

const KNOWN = [
  [/connection refused/i, "Nothing listens at the other side's address.", "The host answers, its MTA does not. Ask whether it runs, and compare the port; then press Retry now."],
  [/timed out|no answer|did not answer|deadline/i, "The other side does not answer.", "The host is down, or a firewall drops what is sent. It is tried again by itself; Retry now tries at once."],
  [/unreachable|no route/i, "There is no way to the other side's network.", "Look at the network between: cable, router, VPN. It is tried again by itself."],
  [/not resolved|lookup|name or service|no address/i, "The other side's host name leads nowhere.", "Correct the host name or the name server; then press Retry now."],
  [/password|credential|authentication|name .*refused|refused .*name/i, "Names or passwords of the two sides differ.", "Compare remote_mta, remote_password and our own with what the other side has. Trying again does not help before that."],
  [/busy/i, "The other side is busy.", "It takes no further association at the moment. It is tried again by itself."],
  [/selector|address unknown|not attached|called/i, "The selectors of the two sides differ.", "Compare the selectors on the Stack page with what the other side has."],
  [/no bind|silent/i, "Something accepts the connection and then says nothing.", "It may not be an MTA, or one that hangs. Ask the other side; the recording of the association shows how far it came."],
  [/reset|closed|broken|aborted|lost/i, "The connection breaks off.", "If it goes on, look at the recording of the last association: it shows which layer ended it."],
];

/** The cause in a sentence, and what to press; nothing is known of a failure without words. */
export function advice(failure) {
  const found = KNOWN.find(([pattern]) => pattern.test(failure ?? ""));
  if (found) return { cause: found[1], todo: found[2] };
  return { cause: "No association can be opened.", todo: "It is tried again by itself. Retry now tries at once; the events of this link say more." };
}
