"""Each conversation's callback stays with the state machine, because the function that would take it off is thrown away."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.event import async_track_state_change_event


class VoiceConversation:
    def __init__(self, hass: HomeAssistant, conversation_id: str, satellite) -> None:
        self.hass = hass
        self.conversation_id = conversation_id
        self.satellite = satellite
        self.unsubscribe = []

    async def begin(self, entity_ids: list[str]) -> None:
        async_track_state_change_event(self.hass, entity_ids, self._say)  # leaks SS004: the returned function is dropped

    async def _say(self, event) -> None:
        state = event.data["new_state"]
        await self.satellite.announce(f"{state.name} is now {state.state}")

    async def finish(self) -> None:
        for off in self.unsubscribe:
            off()
        await self.satellite.close(self.conversation_id)


async def converse(hass, request):
    conversation = VoiceConversation(hass, request.conversation_id, request.satellite)
    try:
        await conversation.begin(request.entities)
        await request.satellite.wait_for_silence()
    finally:
        await conversation.finish()
