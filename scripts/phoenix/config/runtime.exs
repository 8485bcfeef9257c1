import Config

# Read at each start, so that one release serves all rounds of a comparison.
env = &System.get_env/2

endpoint =
  case env.("TUNED", "0") do
    "0" -> RoostBaseline.Endpoint
    "1" -> RoostBaseline.Tuned.Endpoint
  end

# Clients come all at once, and the machine's limits are the only ones that
# should count: the servers' own end at 16,384 connections (Cowboy) or at that
# for each of 100 acceptors (Bandit).
{adapter, options} =
  case env.("ADAPTER", "bandit") do
    "bandit" ->
      {Bandit.PhoenixAdapter,
       thousand_island_options: [num_connections: :infinity, transport_options: [backlog: 4096]]}

    "cowboy" ->
      {Phoenix.Endpoint.Cowboy2Adapter,
       transport_options: [max_connections: :infinity, socket_opts: [backlog: 4096]]}
  end

{:ok, ip} = env.("HOST", "127.0.0.1") |> String.to_charlist() |> :inet.parse_address()
port = String.to_integer(env.("PORT", "4000"))

config :roost_baseline, endpoint: endpoint, cluster: env.("CLUSTER", "")

config :roost_baseline, endpoint,
  server: true,
  adapter: adapter,
  http: [ip: ip, port: port] ++ options,
  check_origin: false,
  pubsub_server: RoostBaseline.PubSub
