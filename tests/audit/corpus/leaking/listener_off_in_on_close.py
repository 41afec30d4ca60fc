"""A handler that loses its socket without a close frame keeps its listener, because only on_close() takes it off."""

from tornado.web import Application
from tornado.websocket import WebSocketHandler

from kernels import manager


class KernelChannels(WebSocketHandler):
    def initialize(self, kernel_id=None):
        self.kernel_id = kernel_id

    async def get(self, *args, **kwargs):
        manager.add_restart_callback(self.kernel_id, self.on_restart)  # leaks SS004b: get() may refuse, and on_close() is not called then
        if not self.current_user:
            self.set_status(403)
            await self.finish()
            return
        await super().get(*args, **kwargs)

    def on_message(self, message):
        manager.send(self.kernel_id, message)

    def on_restart(self):
        self.write_message({"kernel": "restarted"})

    def on_close(self):
        manager.remove_restart_callback(self.kernel_id, self.on_restart)


app = Application([(r"/channels", KernelChannels, {"kernel_id": "main"})])
