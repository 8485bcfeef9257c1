defmodule RoostBaseline.Tuned.Endpoint do
  @moduledoc """
  The same sockets and rooms, with all that Phoenix's documentation has against
  memory: "Garbage collection" in Phoenix.Socket, "Hibernation" in
  Phoenix.Channel, :fullsweep_after in Phoenix.Endpoint.socket/3.
  """

  use Phoenix.Endpoint, otp_app: :roost_baseline

  socket "/socket", RoostBaseline.Tuned.Socket, websocket: [fullsweep_after: 0]
end

defmodule RoostBaseline.Tuned.Socket do
  @moduledoc "See RoostBaseline.Tuned.Endpoint."

  use Phoenix.Socket

  channel "room:*", RoostBaseline.Tuned.RoomChannel

  @impl true
  defdelegate connect(params, socket, info), to: RoostBaseline.Socket

  @impl true
  defdelegate id(socket), to: RoostBaseline.Socket
end

defmodule RoostBaseline.Tuned.RoomChannel do
  @moduledoc "See RoostBaseline.Tuned.Endpoint."

  use Phoenix.Channel, hibernate_after: 0

  # The transport waits for this callback: it collects after the join.
  @impl true
  def join(topic, payload, socket) do
    send(socket.transport_pid, :garbage_collect)
    RoostBaseline.RoomChannel.join(topic, payload, socket)
  end

  @impl true
  defdelegate handle_in(event, payload, socket), to: RoostBaseline.RoomChannel
end
