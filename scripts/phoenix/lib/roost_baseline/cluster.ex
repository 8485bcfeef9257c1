defmodule RoostBaseline.Cluster do
  @moduledoc """
  Several nodes on this host that are one room: Erlang's own distribution, over
  loopback, which is what Phoenix.PubSub uses unless told otherwise.

  A node is named after the cluster and its process, so that nobody has to number
  them: each asks Erlang's port mapper, epmd, who else is there. The first one
  starts it, the last one ends it.
  """

  @loopback {127, 0, 0, 1}

  @doc "Makes this a node of the cluster of that name, and of none if it is empty."
  def join(""), do: :ok

  def join(cluster) do
    :ok = start_epmd(100)
    Application.put_env(:kernel, :inet_dist_use_interface, @loopback)
    node = :"#{cluster}-#{System.pid()}@127.0.0.1"
    {:ok, _} = :net_kernel.start(node, %{name_domain: :longnames})
    Node.set_cookie(String.to_atom(cluster))
    {:ok, names} = :erl_epmd.names(@loopback)

    for {name, _port} <- names, List.starts_with?(name, ~c"#{cluster}-") do
      true = Node.connect(:"#{name}@127.0.0.1")
    end

    :ok
  end

  @doc "The opposite of join."
  def leave do
    # Where there are other nodes still, epmd does not let itself be killed.
    if Node.alive?(), do: {:net_kernel.stop(), epmd(["-kill"])}
    :ok
  end

  # "epmd -daemon" returns before the daemon listens, and a node that finds
  # nobody there does not try again: wait until it answers.
  defp start_epmd(tries) do
    {_, 0} = epmd(["-daemon", "-address", "127.0.0.1"])

    case :erl_epmd.names(@loopback) do
      {:ok, _} ->
        :ok

      {:error, _} when tries > 1 ->
        Process.sleep(50)
        start_epmd(tries - 1)
    end
  end

  defp epmd(arguments) do
    erts = "erts-#{:erlang.system_info(:version)}"

    [:code.root_dir(), erts, "bin", "epmd"]
    |> Path.join()
    |> System.cmd(arguments, stderr_to_stdout: true)
  end
end
