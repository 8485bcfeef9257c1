defmodule RoostBaseline.RoomChannel do
  @moduledoc """
  A chat room: what one says, all who joined hear, the one included. Nothing is
  replied to that. Roost's own is server/chat; the two must stay alike.
  """

  use Phoenix.Channel

  @impl true
  def join(_topic, _payload, socket), do: {:ok, socket}

  @impl true
  def handle_in(event, payload, socket) when event in ["new_msg", "shout"] do
    broadcast!(socket, event, payload)
    {:noreply, socket}
  end

  def handle_in(event, payload, socket) when event in ["ping", "echo"] do
    {:reply, {:ok, payload}, socket}
  end
end
