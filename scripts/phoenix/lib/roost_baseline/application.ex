defmodule RoostBaseline.Application do
  @moduledoc """
  The chat room of Roost's demo server on Phoenix, to measure one beside the other.

  It is no example of how to write Phoenix applications, and has no pages. Once
  it listens, it prints where. What it does is the same in each of its versions,
  which the environment chooses: see README.md and config/runtime.exs.
  """

  use Application

  @impl true
  def start(_type, _args) do
    endpoint = Application.fetch_env!(:roost_baseline, :endpoint)
    :ok = RoostBaseline.Cluster.join(Application.fetch_env!(:roost_baseline, :cluster))
    children = [{Phoenix.PubSub, name: RoostBaseline.PubSub}, endpoint]

    with {:ok, supervisor} <- Supervisor.start_link(children, strategy: :one_for_one) do
      :ok = RoostBaseline.Collector.install()
      {:ok, {ip, port}} = endpoint.server_info(:http)
      IO.puts("listening on #{:inet.ntoa(ip)}:#{port}")
      {:ok, supervisor}
    end
  end

  @impl true
  def stop(_state), do: RoostBaseline.Cluster.leave()
end
