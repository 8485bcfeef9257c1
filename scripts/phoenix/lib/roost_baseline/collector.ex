defmodule RoostBaseline.Collector do
  @moduledoc """
  Collects the garbage of all processes on SIGUSR1 and says so on standard error,
  for the load test, which asks each server it has started before it reads its
  memory. By itself the signal ends the Erlang machine with a crash dump.

  All other signals remain with Erlang's own handler.
  """

  @behaviour :gen_event

  def install do
    :gen_event.swap_handler(:erl_signal_server, {:erl_signal_handler, []}, {__MODULE__, []})
  end

  @impl true
  def init(_), do: :erl_signal_handler.init([])

  @impl true
  def handle_event(:sigusr1, state) do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    IO.puts(:stderr, "msg=memory total=#{:erlang.memory(:total)}")
    {:ok, state}
  end

  def handle_event(signal, state), do: :erl_signal_handler.handle_event(signal, state)

  @impl true
  def handle_call(_request, state), do: {:ok, :ok, state}
end
