// Clients of one room: each joins, counts what is said there until it has heard all,
// and leaves. A virtual user has SOCKETS of them.
import { WebSocket } from 'k6/websockets'
import { Counter } from 'k6/metrics'

const { URL, CLIENTS, SOCKETS, MESSAGES } = __ENV
const joined = new Counter('joined')
const receipts = new Counter('receipts')

export const options = {
  scenarios: {
    clients: { executor: 'per-vu-iterations', vus: Math.ceil(CLIENTS / SOCKETS), iterations: 1, maxDuration: '3m', gracefulStop: '1s' },
  },
}

export default function () {
  for (let i = 0; i < Math.min(SOCKETS, CLIENTS); i++) join()
}

function join() {
  const socket = new WebSocket(`${URL}/socket/websocket?vsn=2.0.0`)
  let heard = 0
  let beat
  socket.onopen = () => {
    socket.send('["1","1","room:lobby","phx_join",{}]')
    beat = setInterval(() => socket.send('[null,"2","phoenix","heartbeat",{}]'), 30000)
  }
  socket.onmessage = ({ data }) => {
    const [, ref, , event, payload] = JSON.parse(data)
    if (event === 'phx_reply' && ref === '1' && payload.status === 'ok') joined.add(1)
    if (event !== 'new_msg') return
    receipts.add(1)
    if (++heard == MESSAGES) socket.close()
  }
  socket.onclose = () => clearInterval(beat)
}

export function handleSummary({ metrics }) {
  const count = (name) => metrics[name]?.values.count ?? 0
  return { stdout: JSON.stringify({ joined: count('joined'), receipts: count('receipts') }) + '\n' }
}
